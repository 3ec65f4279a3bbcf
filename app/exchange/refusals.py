"""Why a whole file is not taken. Nothing of such a file is imported.

The details travel to screens and logs: they name rows, columns and sheets, never what a cell holds.
"""

from app.kit.errors import Invalid


class FileRefused(Invalid):
    """A file that cannot be imported as a whole."""

    code = "file_refused"
    title = "文件没有导入"


class FileTooLarge(FileRefused):
    """More bytes than are read, packed or unpacked."""

    code = "file_too_large"
    title = "文件太大"


class FileKindWrong(FileRefused):
    """Not one of the three kinds, or not the kind that its name says."""

    code = "file_kind_wrong"
    title = "文件类型不对"


class FileBroken(FileRefused):
    """The kind is right, the content is damaged."""

    code = "file_broken"
    title = "文件已损坏"


class FileEncrypted(FileRefused):
    """It opens with a password only."""

    code = "file_encrypted"
    title = "文件有密码，请去掉密码后再导入"


class SheetTooLarge(FileRefused):
    """More rows, columns, cells or text than are read."""

    code = "sheet_too_large"
    title = "表格太大"


class SheetEmpty(FileRefused):
    """No row below the header, or nothing at all."""

    code = "sheet_empty"
    title = "表格里没有数据"


class SheetUnclear(FileRefused):
    """Several sheets could be meant, or the one that was named does not exist."""

    code = "sheet_unclear"
    title = "不知道要导入哪一张表"


class ColumnsMissing(FileRefused):
    """No row in the beginning names the columns that are needed."""

    code = "columns_missing"
    title = "没有找到需要的列"


class DigitsLost(FileRefused):
    """A column of long numbers was stored as figures, and a figure keeps fifteen digits."""

    code = "digits_lost"
    title = "号码的后几位已经丢失"
