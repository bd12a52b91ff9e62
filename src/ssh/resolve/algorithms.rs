//! Lists of algorithms: what OpenSSH 9.2 offers and can, and the signs `+`, `-` and `^` before a list.

use super::patterns::{self, Listed};

/// Which sort of algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Ciphers,
    Macs,
    Kex,
    /// Host and login keys, certificates included.
    Keys,
    /// What may sign certificates.
    Signatures,
}

const CIPHERS: &str = "3des-cbc,aes128-cbc,aes192-cbc,aes256-cbc,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com";
const CIPHERS_OFFERED: &str = "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com";
const MACS: &str = "hmac-sha1,hmac-sha1-96,hmac-sha2-256,hmac-sha2-512,hmac-md5,hmac-md5-96,umac-64@openssh.com,umac-128@openssh.com,hmac-sha1-etm@openssh.com,hmac-sha1-96-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-md5-etm@openssh.com,hmac-md5-96-etm@openssh.com,umac-64-etm@openssh.com,umac-128-etm@openssh.com";
const MACS_OFFERED: &str = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1";
const KEX: &str = "diffie-hellman-group1-sha1,diffie-hellman-group14-sha1,diffie-hellman-group14-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group-exchange-sha1,diffie-hellman-group-exchange-sha256,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,curve25519-sha256,curve25519-sha256@libssh.org,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com";
const KEX_OFFERED: &str = "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256";
const KEYS: &str = "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com,sk-ssh-ed25519@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384,ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521,ecdsa-sha2-nistp521-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,webauthn-sk-ecdsa-sha2-nistp256@openssh.com,ssh-dss,ssh-dss-cert-v01@openssh.com,ssh-rsa,ssh-rsa-cert-v01@openssh.com,rsa-sha2-256,rsa-sha2-256-cert-v01@openssh.com,rsa-sha2-512,rsa-sha2-512-cert-v01@openssh.com";
const KEYS_OFFERED: &str = "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";
const SIGNATURES_OFFERED: &str = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";

impl Family {
    /// What is offered when a configuration says nothing.
    pub(super) fn offered(self) -> &'static str {
        match self {
            Self::Ciphers => CIPHERS_OFFERED,
            Self::Macs => MACS_OFFERED,
            Self::Kex => KEX_OFFERED,
            Self::Keys => KEYS_OFFERED,
            Self::Signatures => SIGNATURES_OFFERED,
        }
    }

    fn known(self) -> Vec<&'static str> {
        let all = match self {
            Self::Ciphers => CIPHERS,
            Self::Macs => MACS,
            Self::Kex => KEX,
            Self::Keys | Self::Signatures => KEYS,
        };
        let plain = self == Self::Signatures;
        all.split(',')
            .filter(|name| !(plain && name.contains("-cert-")))
            .collect()
    }

    /// How messages call one of them.
    fn noun(self) -> &'static str {
        match self {
            Self::Ciphers => "cipher",
            Self::Macs => "MAC",
            Self::Kex => "key exchange",
            Self::Keys | Self::Signatures => "key type",
        }
    }

    /// Refuses a list with a name that OpenSSH 9.2 does not know. A list that only takes away is not looked at.
    pub(super) fn check(self, list: &str) -> Result<(), String> {
        if list.starts_with('-') {
            return Ok(());
        }
        let names = list.strip_prefix(['+', '^']).unwrap_or(list);
        if names.is_empty() {
            return Err(format!("no {} is named", self.noun()));
        }
        // OpenSSH stops looking at the first empty name.
        for name in names.split(',').take_while(|name| !name.is_empty()) {
            let good = match self {
                // Here patterns are allowed as well, and certificates count even where they cannot be meant.
                Self::Keys | Self::Signatures => KEYS
                    .split(',')
                    .any(|known| patterns::list(name, known) != Listed::No),
                Self::Ciphers | Self::Macs | Self::Kex => self.known().contains(&name),
            };
            if !good {
                return Err(format!(
                    "{name:?} is no {} of OpenSSH 9.2; correct it, or remove it",
                    self.noun()
                ));
            }
        }
        Ok(())
    }

    /// The whole list that a configured one stands for.
    pub(super) fn assemble(self, configured: Option<&str>) -> Result<String, String> {
        let offered = self.offered();
        let Some(list) = configured.filter(|list| !list.is_empty()) else {
            return Ok(offered.to_owned());
        };
        let joined = if let Some(names) = list.strip_prefix('+') {
            joined(offered, names)
        } else if let Some(names) = list.strip_prefix('^') {
            joined(names, offered)
        } else if let Some(patterns) = list.strip_prefix('-') {
            let kept = offered
                .split(',')
                .filter(|name| patterns::list(patterns, name) != Listed::Yes);
            return Ok(kept.collect::<Vec<_>>().join(","));
        } else {
            list.to_owned()
        };
        let known = self.known();
        let mut all: Vec<&str> = Vec::new();
        for pattern in joined.split(',') {
            if pattern.starts_with('!') {
                return Err(format!(
                    "{list:?} has a negated pattern, which OpenSSH refuses here; use a list that begins with -"
                ));
            }
            for name in &known {
                if patterns::fits(pattern, name) && !all.contains(name) {
                    all.push(name);
                }
            }
        }
        if all.is_empty() {
            return Err(format!("{list:?} leaves no {} at all", self.noun()));
        }
        Ok(all.join(","))
    }
}

/// Two lists behind each other; names that are there already are left out.
fn joined(first: &str, second: &str) -> String {
    if first.is_empty() || second.is_empty() {
        return format!("{first}{second}");
    }
    let mut names: Vec<&str> = first.split(',').collect();
    for name in second.split(',').take_while(|name| !name.is_empty()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_change_the_offer() {
        let offered = CIPHERS_OFFERED;
        for (list, expected) in [
            (None, offered.to_owned()),
            (
                Some("+aes128-cbc,aes128-ctr"),
                format!("{offered},aes128-cbc"),
            ),
            (Some("-aes*"), "chacha20-poly1305@openssh.com".to_owned()),
            (
                Some("aes256-ctr,aes128-ctr"),
                "aes256-ctr,aes128-ctr".to_owned(),
            ),
        ] {
            assert_eq!(Family::Ciphers.assemble(list), Ok(expected), "{list:?}");
        }
        let head = Family::Ciphers.assemble(Some("^aes256-ctr"));
        assert!(head.is_ok_and(|list| list.starts_with("aes256-ctr,chacha20")));
        assert!(Family::Ciphers.check("aes128").is_err());
        assert!(Family::Ciphers.check("-whatever").is_ok());
        assert!(Family::Keys.check("ssh-ed*").is_ok());
        assert!(Family::Keys.assemble(Some("!ssh-rsa")).is_err());
    }
}
