"""Tables, one file an aggregate. Importing this package registers them all."""

from server.models.audit import AuditEntry
from server.models.blobs import Blob
from server.models.forms import Form, FormAttachment, FormVersion
from server.models.people import Actor, AppUser, Assignment, Role, Session, User
from server.models.projects import Project
from server.models.submissions import Submission, SubmissionAttachment, SubmissionGeometry, SubmissionVersion

__all__ = [
    "Actor",
    "AppUser",
    "Assignment",
    "AuditEntry",
    "Blob",
    "Form",
    "FormAttachment",
    "FormVersion",
    "Project",
    "Role",
    "Session",
    "Submission",
    "SubmissionAttachment",
    "SubmissionGeometry",
    "SubmissionVersion",
    "User",
]
