"""What people do: one function a deed, one transaction, permission asked first. Nothing here commits."""
