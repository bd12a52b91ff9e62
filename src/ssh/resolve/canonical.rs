//! The name to connect to: addresses in their usual form, other names in lower case and, where the configuration asks for
//! it, completed by a domain.

use std::net::{Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use super::state::State;

/// Whether a name exists; asked of the system's resolver, or of a table in tests.
pub(super) type Exists<'a> = &'a dyn Fn(&str, &str) -> bool;

/// Asks the system's resolver for addresses of a family: `any`, `inet` or `inet6`.
pub(super) fn exists(name: &str, family: &str) -> bool {
    (name, 22).to_socket_addrs().is_ok_and(|mut found| {
        found.any(|address| match family {
            "inet" => address.is_ipv4(),
            "inet6" => address.is_ipv6(),
            _ => true,
        })
    })
}

/// The name to connect to, out of the name that was given or that `HostName` set.
///
/// # Errors
/// No domain has the name and the configuration forbids to go on without.
pub(super) fn name(host: &str, state: &State, exists: Exists<'_>) -> Result<String, String> {
    let family = state.get("addressfamily").unwrap_or("any");
    let numeric = address(host, family);
    if looks_like_address(host) || numeric.is_some() {
        return Ok(numeric.unwrap_or_else(|| host.to_owned()));
    }
    let host = host.to_ascii_lowercase();
    let wanted = state.get("canonicalizehostname").unwrap_or("false");
    let direct = state.jump_is_off() && proxy_is_off(state);
    if wanted == "false" || (wanted == "true" && !direct) {
        return Ok(host);
    }
    if let Some(bare) = host.strip_suffix('.') {
        if exists(&host, family) {
            return Ok(bare.to_owned());
        }
    } else {
        let dots = host.matches('.').count();
        let most = state
            .get("canonicalizemaxdots")
            .and_then(|most| most.parse().ok())
            .unwrap_or(1);
        if dots > most {
            return Ok(host);
        }
        for domain in state.all("canonicaldomains") {
            if domain.eq_ignore_ascii_case("none") {
                break;
            }
            let full = format!("{host}.{domain}");
            if exists(&format!("{full}."), family) {
                return Ok(full);
            }
        }
    }
    if state.get("canonicalizefallbacklocal") == Some("no") {
        return Err(format!(
            "{host} is in none of the CanonicalDomains, and CanonicalizeFallbackLocal is no; correct the name, or add its domain"
        ));
    }
    Ok(host)
}

impl State {
    /// No jump host is asked for.
    fn jump_is_off(&self) -> bool {
        // Even `ProxyJump none` counts as one here, as it does in OpenSSH.
        self.jump.is_none()
    }
}

fn proxy_is_off(state: &State) -> bool {
    state
        .get("proxycommand")
        .is_none_or(|command| command.eq_ignore_ascii_case("none"))
}

/// Whether it can only be an address, even if it is none.
fn looks_like_address(name: &str) -> bool {
    name.contains(['%', ':'])
        || name
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// An address in its usual form, if the name is one of the family.
fn address(name: &str, family: &str) -> Option<String> {
    if name.contains(':') {
        let (bare, zone) = match name.split_once('%') {
            Some((bare, zone)) => (bare, Some(zone)),
            None => (name, None),
        };
        let address: Ipv6Addr = bare.parse().ok()?;
        return match (family, zone) {
            ("inet", _) => None,
            (_, None) => Some(address.to_string()),
            // A zone is the name of an interface; without one the text stays as it is.
            (_, Some(zone)) => std::path::Path::new("/sys/class/net")
                .join(zone)
                .exists()
                .then(|| format!("{address}%{zone}")),
        };
    }
    if family == "inet6" {
        return None;
    }
    old_address(name).map(|address| address.to_string())
}

/// An IPv4 address as C has read it since ever: one to four numbers, decimal, octal or hexadecimal.
fn old_address(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = name
        .split('.')
        .map(|part| {
            let lower = part.to_ascii_lowercase();
            if let Some(digits) = lower.strip_prefix("0x") {
                u32::from_str_radix(digits, 16).ok()
            } else if lower.len() > 1 && lower.starts_with('0') {
                u32::from_str_radix(&lower, 8).ok()
            } else if lower.bytes().all(|byte| byte.is_ascii_digit()) {
                lower.parse().ok()
            } else {
                None
            }
        })
        .collect::<Option<_>>()?;
    let (last, before) = parts.split_last()?;
    if before.len() > 3 || before.iter().any(|part| *part > 255) {
        return None;
    }
    let room = 32 - 8 * before.len() as u32;
    if u64::from(*last) >= 1_u64 << room {
        return None;
    }
    let head = before
        .iter()
        .zip([24, 16, 8])
        .fold(0, |sum, (part, shift)| sum | part << shift);
    Some(Ipv4Addr::from(head | last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: &str, settings: &[(&'static str, &str)]) -> Result<String, String> {
        let mut state = State::default();
        for (option, value) in settings {
            state.append(option, (*value).to_owned());
        }
        name(host, &state, &|name, _| name == "web.two.example.")
    }

    #[test]
    fn addresses_get_their_usual_form() {
        for (host, expected) in [
            ("127.1", "127.0.0.1"),
            ("1", "0.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("010.0.0.1", "8.0.0.1"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("256.1.1.1", "256.1.1.1"),
            ("FE80:0::1", "fe80::1"),
            ("FE80::1%nosuch0", "FE80::1%nosuch0"),
            ("Web.Example", "web.example"),
        ] {
            assert_eq!(found(host, &[]).as_deref(), Ok(expected), "{host}");
        }
        assert_eq!(
            found("127.1", &[("addressfamily", "inet6")]).as_deref(),
            Ok("127.1")
        );
    }

    #[test]
    fn names_are_completed_where_it_is_asked_for() {
        let domains = [
            ("canonicalizehostname", "true"),
            ("canonicaldomains", "one.example"),
            ("canonicaldomains", "two.example"),
        ];
        assert_eq!(found("Web", &domains).as_deref(), Ok("web.two.example"));
        assert_eq!(found("web", &domains[1..]).as_deref(), Ok("web"));
        assert_eq!(found("other", &domains).as_deref(), Ok("other"));
        assert_eq!(found("web.x.y", &domains).as_deref(), Ok("web.x.y"));
        assert_eq!(
            found("web.two.example.", &domains).as_deref(),
            Ok("web.two.example")
        );
        let strict = [domains.as_slice(), &[("canonicalizefallbacklocal", "no")]].concat();
        assert!(found("other", &strict).is_err());
        let proxied = [domains.as_slice(), &[("proxycommand", "nc %h %p")]].concat();
        assert_eq!(found("web", &proxied).as_deref(), Ok("web"));
    }
}
