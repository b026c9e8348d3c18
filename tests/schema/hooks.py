"""What no description says: at which address there is a receiver. Others are refused, since they are private, or nobody is there."""

import os

import schemathesis
from hypothesis import strategies as st

RECEIVER = os.environ["HOOKGATE_RECEIVER"]
REST = r"([/?#][A-Za-z0-9/?._~%!$&'()*+,;=:@-]*)?"

schemathesis.openapi.format("url", st.from_regex(REST, fullmatch=True).map(RECEIVER.__add__))
