//! Settings and the places of files, validated with line and column.
