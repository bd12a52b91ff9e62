//! Host patterns: one language for every place that names hosts.
