//! Sources of hosts: foreign files read into hosts whose every field names the file and line that set it.
