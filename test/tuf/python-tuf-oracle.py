"""What python-tuf makes of the questions on standard input, as JSON on standard output. Asked by python-tuf.test.ts."""

import json
import sys

from securesystemslib.formats import encode_canonical
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import DelegatedRole, Metadata, SuccinctRoles
from tuf.api.serialization.json import CanonicalJSONSerializer, JSONSerializer


def canonical(text):
    return encode_canonical(json.loads(text))


def matches(question):
    role = DelegatedRole("role", ["key"], 1, False, [question["pattern"]])
    return role.is_delegated_path(question["path"])


def bin_of(question):
    return SuccinctRoles(["key"], 1, question["bitLength"], "bins").get_role_for_target(question["path"])


def read(text):
    metadata = Metadata.from_bytes(text.encode())
    return {
        "canonical": CanonicalJSONSerializer().serialize(metadata.signed).decode(),
        "file": metadata.to_bytes(JSONSerializer(compact=True, validate=True)).decode(),
    }


def is_verified(question):
    delegator = Metadata.from_bytes(question["delegator"].encode())
    metadata = Metadata.from_bytes(question["file"].encode())
    try:
        delegator.signed.verify_delegate(question["role"], metadata.signed_bytes, metadata.signatures)
    except UnsignedMetadataError:
        return False
    return True


QUESTIONS = {"canonical": canonical, "matches": matches, "binOf": bin_of, "read": read, "isVerified": is_verified}

asked = json.load(sys.stdin)
print(json.dumps({kind: [QUESTIONS[kind](question) for question in questions] for kind, questions in asked.items()}))
