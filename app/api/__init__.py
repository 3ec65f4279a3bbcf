"""What programs read: kiosks, other services, and whoever tries the service out. What people read is in `web`.

A noun a file; each router carries its whole prefix, because logs and metrics name a request by its route's path.
"""
