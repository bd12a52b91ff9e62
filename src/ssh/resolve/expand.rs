//! Percent tokens, environment variables and home folders in values, as OpenSSH's client expands them.

use sha1::{Digest, Sha1};

use super::super::stamps::{account_home, account_name};

/// The values behind the tokens, ssh_config(5), section TOKENS.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    /// `%h`: where the connection leads.
    pub(super) host: String,
    /// `%n`: the name as it was given.
    pub(super) original: String,
    /// `%k`
    pub(super) key_alias: String,
    /// `%p`
    pub(super) port: u16,
    /// `%r`
    pub(super) user: String,
}

impl Tokens {
    /// Replaces percent tokens; with `variables` also `${NAME}`.
    ///
    /// # Errors
    /// In the words of a sentence: a token that does not exist, or a variable that is not set.
    pub(super) fn expand(&self, text: &str, variables: bool) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['%', '$']) {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            if let Some(named) = from.strip_prefix("${").filter(|_| variables) {
                let (value, tail) = variable(named)?;
                out.push_str(&value);
                rest = tail;
                continue;
            }
            let mut chars = from.chars();
            if chars.next() == Some('$') {
                out.push('$');
            } else {
                match chars.next() {
                    Some('%') => out.push('%'),
                    Some(token) => out.push_str(&self.value(token).ok_or_else(|| {
                        format!("the token %{token} in {text:?} does not exist; write %% for a percent sign")
                    })?),
                    None => {
                        return Err(format!(
                            "{text:?} ends in a percent sign; write %% for one"
                        ));
                    }
                }
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, token: char) -> Option<String> {
        Some(match token {
            'C' => self.digest(),
            'd' => account_home().to_string_lossy().into_owned(),
            'h' => self.host.clone(),
            'i' => rustix::process::getuid().as_raw().to_string(),
            'k' => self.key_alias.clone(),
            'L' => machine().split('.').next().unwrap_or_default().to_owned(),
            'l' => machine(),
            'n' => self.original.clone(),
            'p' => self.port.to_string(),
            'r' => self.user.clone(),
            'u' => account_name(),
            _ => return None,
        })
    }

    /// `%C` of OpenSSH up to 9.5: the hash of `%l%h%p%r`.
    fn digest(&self) -> String {
        let mut hash = Sha1::new();
        hash.update(machine());
        hash.update(&self.host);
        hash.update(self.port.to_string());
        hash.update(&self.user);
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// `HostName` knows `%h`, the name as given, and `%%`.
pub(super) fn host_name(text: &str, given: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('h') => out.push_str(given),
            other => {
                let token: String = other.into_iter().collect();
                return Err(format!(
                    "the token %{token} in HostName {text:?} does not exist there; only %h and %% do"
                ));
            }
        }
    }
    Ok(out)
}

/// Replaces `${NAME}` alone.
pub(super) fn variables(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, named)) = rest.split_once("${") {
        out.push_str(before);
        let (value, tail) = variable(named)?;
        out.push_str(&value);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of the variable whose name stands before the closing brace, and what follows.
fn variable(named: &str) -> Result<(String, &str), String> {
    let Some((name, tail)) = named.split_once('}') else {
        return Err(format!("${{{named} has no closing brace"));
    };
    if name.is_empty() {
        return Err("${} names no environment variable".to_owned());
    }
    match std::env::var_os(name) {
        Some(value) => Ok((value.to_string_lossy().into_owned(), tail)),
        None => Err(format!("the environment variable {name} is not set")),
    }
}

/// `~` and `~/…` become our home, `~name/…` the home of that account.
pub(crate) fn tilde(path: &str) -> Result<String, String> {
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(path.to_owned());
    };
    let (name, below) = rest.split_once('/').unwrap_or((rest, ""));
    let home = if name.is_empty() {
        account_home().to_string_lossy().into_owned()
    } else {
        home_of(name)
            .ok_or_else(|| format!("{path}: there is no account {name} on this machine"))?
    };
    let slash = if home.ends_with('/') { "" } else { "/" };
    Ok(format!("{home}{slash}{}", below.trim_start_matches('/')))
}

/// The home of another account, as the user database has it.
pub(super) fn home_of(name: &str) -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(4).map(str::to_owned))?
    })
}

/// What this machine calls itself.
pub(super) fn machine() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_replaced() {
        let tokens = Tokens {
            host: "10.0.0.1".into(),
            original: "web".into(),
            key_alias: "key".into(),
            port: 2222,
            user: "me".into(),
        };
        assert_eq!(
            tokens.expand("%r@%h:%p %n %k %%h $x", true).as_deref(),
            Ok("me@10.0.0.1:2222 web key %h $x")
        );
        assert!(tokens.expand("%z", false).is_err());
        assert!(tokens.expand("%", false).is_err());
        assert!(tokens.expand("${NO_SUCH_VARIABLE_HERE}", true).is_err());
        assert_eq!(tokens.expand("${X", false).as_deref(), Ok("${X"));
        assert_eq!(host_name("%h.x%%", "a").as_deref(), Ok("a.x%"));
        assert!(host_name("%p", "a").is_err());
        let home = home_of("root").unwrap_or_default();
        assert_eq!(tilde("~root/x"), Ok(format!("{home}/x")));
        assert!(tilde("~nosuchaccount/x").is_err());
    }
}
