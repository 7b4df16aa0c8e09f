"""Sans-IO: values and state machines that know neither network nor clock."""
