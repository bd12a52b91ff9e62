//! Info strings of fences: the language and the attributes in braces.
