//! From what the files set to what `ssh -G` of OpenSSH 9.2 prints: defaults, tokens, and options that depend on each other.

use std::path::Path;

use crate::domain::host::Effective;

use super::super::stamps::account_name;
use super::algorithms::Family;
use super::expand::{Tokens, tilde};
use super::forwards::{End, Forward, Sort};
use super::jump::Jump;
use super::state::State;

/// Options whose value `none` is the same as no value.
const NONE_CLEARS: &[&str] = &[
    "controlpath",
    "knownhostscommand",
    "localcommand",
    "pkcs11provider",
    "proxycommand",
    "remotecommand",
    "revokedhostkeys",
    "securitykeyprovider",
];

/// Options that are printed whether they were set or not, and what they are then. Debian's values where they differ.
const DEFAULTS: &[(&str, &str)] = &[
    ("addkeystoagent", "false"),
    ("addressfamily", "any"),
    ("batchmode", "no"),
    ("canonicalizefallbacklocal", "yes"),
    ("canonicalizehostname", "false"),
    ("canonicalizemaxdots", "1"),
    ("canonicalizepermittedcnames", "none"),
    ("checkhostip", "no"),
    ("clearallforwardings", "no"),
    ("compression", "no"),
    ("connectionattempts", "1"),
    ("connecttimeout", "none"),
    ("controlmaster", "false"),
    ("controlpersist", "no"),
    ("enableescapecommandline", "no"),
    ("enablesshkeysign", "no"),
    ("escapechar", "~"),
    ("exitonforwardfailure", "no"),
    ("fingerprinthash", "SHA256"),
    ("forkafterauthentication", "no"),
    ("forwardagent", "no"),
    ("forwardx11", "no"),
    ("forwardx11timeout", "1200"),
    ("forwardx11trusted", "yes"),
    ("gatewayports", "no"),
    ("gssapiauthentication", "no"),
    ("gssapidelegatecredentials", "no"),
    (
        "gssapikexalgorithms",
        "gss-group14-sha256-,gss-group16-sha512-,gss-nistp256-sha256-,gss-curve25519-sha256-,gss-group14-sha1-,gss-gex-sha1-",
    ),
    ("gssapikeyexchange", "no"),
    ("gssapirenewalforcesrekey", "no"),
    ("gssapitrustdns", "no"),
    ("hashknownhosts", "no"),
    ("hostbasedauthentication", "no"),
    ("identitiesonly", "no"),
    ("ipqos", "lowdelay throughput"),
    ("kbdinteractiveauthentication", "yes"),
    ("loglevel", "INFO"),
    ("nohostauthenticationforlocalhost", "no"),
    ("numberofpasswordprompts", "3"),
    ("passwordauthentication", "yes"),
    ("permitlocalcommand", "no"),
    ("port", "22"),
    ("proxyusefdpass", "no"),
    ("pubkeyauthentication", "true"),
    ("requesttty", "auto"),
    ("requiredrsasize", "1024"),
    ("securitykeyprovider", "internal"),
    ("serveralivecountmax", "3"),
    ("sessiontype", "default"),
    ("stdinnull", "no"),
    ("streamlocalbindmask", "0177"),
    ("streamlocalbindunlink", "no"),
    ("stricthostkeychecking", "ask"),
    ("syslogfacility", "USER"),
    ("tcpkeepalive", "yes"),
    ("tunnel", "false"),
    ("tunneldevice", "any:any"),
    ("verifyhostkeydns", "false"),
    ("visualhostkey", "no"),
    ("xauthlocation", "/usr/bin/xauth"),
];

const ALGORITHMS: &[(&str, Family)] = &[
    ("casignaturealgorithms", Family::Signatures),
    ("ciphers", Family::Ciphers),
    ("hostbasedacceptedalgorithms", Family::Keys),
    ("hostkeyalgorithms", Family::Keys),
    ("kexalgorithms", Family::Kex),
    ("macs", Family::Macs),
    ("pubkeyacceptedalgorithms", Family::Keys),
];

/// The keys that are tried when none is named.
const KEYS: &[&str] = &[
    "~/.ssh/id_rsa",
    "~/.ssh/id_ecdsa",
    "~/.ssh/id_ecdsa_sk",
    "~/.ssh/id_ed25519",
    "~/.ssh/id_ed25519_sk",
    "~/.ssh/id_xmss",
    "~/.ssh/id_dsa",
];

/// Completes the settings of the host that was given as `original` and is called `host`.
///
/// # Errors
/// A value that cannot be expanded, or values that contradict each other; with the option's name.
pub(super) fn finish(mut state: State, original: &str, host: &str) -> Result<Effective, String> {
    let hosts_key_files = state.all("userknownhostsfile").to_vec();
    defaults(&mut state, &hosts_key_files)?;
    proxies(&mut state, host)?;
    let tokens = Tokens {
        host: host.to_owned(),
        original: original.to_owned(),
        key_alias: lower(&mut state, "hostkeyalias").unwrap_or_else(|| original.to_owned()),
        port: state
            .get("port")
            .and_then(|port| port.parse().ok())
            .unwrap_or(22),
        user: state.get("user").unwrap_or_default().to_owned(),
    };
    consistent(&mut state)?;
    expanded(&mut state, &tokens)?;
    state.put("host", vec![original.to_owned()]);
    state.put("hostname", vec![host.to_owned()]);
    let mut effective = Effective::default();
    one_line(&mut state);
    let local = std::mem::take(&mut state.local);
    let remote = std::mem::take(&mut state.remote);
    let printed = |sort: Sort, list: &[Forward], wanted: fn(&Forward) -> bool| -> Vec<String> {
        let list = list.iter().filter(|forward| wanted(forward));
        list.map(|forward| forward.shown(sort)).collect()
    };
    // To `ssh -G` a local forward to a socket is a dynamic one as well; whoever reads it knows its local line.
    let dynamic = |forward: &Forward| !matches!(forward.connect, Some(End::Port { .. }));
    for (option, values) in [
        ("dynamicforward", printed(Sort::Dynamic, &local, dynamic)),
        (
            "localforward",
            printed(Sort::Local, &local, |forward| forward.connect.is_some()),
        ),
        ("remoteforward", printed(Sort::Remote, &remote, |_| true)),
    ] {
        if !values.is_empty() {
            state.put(option, values);
        }
    }
    for (option, values) in state.into_values() {
        if !values.is_empty() {
            // What is printed is read back without the blanks around it.
            let values = values.iter().map(|value| value.trim().to_owned());
            effective
                .options
                .insert(option.to_owned(), values.collect());
        }
    }
    Ok(effective)
}

fn defaults(state: &mut State, known_hosts: &[String]) -> Result<(), String> {
    // Nobody watches a batch, so Debian lets ssh notice a dead server sooner.
    let alive = match state.get("batchmode") {
        Some("yes") => "300",
        _ => "0",
    };
    state.once("serveraliveinterval", alive);
    state.once("user", account_name());
    let update = match known_hosts {
        [] => true,
        [one] => one == "~/.ssh/known_hosts",
        _ => false,
    } && matches!(state.get("verifyhostkeydns"), None | Some("false"));
    state.once("updatehostkeys", if update { "true" } else { "false" });
    if state.get("clearallforwardings") == Some("yes") {
        (state.local, state.remote) = (Vec::new(), Vec::new());
        state.put("tunnel", vec!["false".to_owned()]);
    }
    for (option, value) in DEFAULTS {
        state.once(option, *value);
    }
    if !state.is_set("identityfile") {
        let keys = KEYS.iter().map(|key| (*key).to_owned()).collect();
        state.put("identityfile", keys);
    }
    if !state.is_set("globalknownhostsfile") {
        state.put(
            "globalknownhostsfile",
            vec![
                "/etc/ssh/ssh_known_hosts".to_owned(),
                "/etc/ssh/ssh_known_hosts2".to_owned(),
            ],
        );
    }
    if !state.is_set("userknownhostsfile") {
        state.put(
            "userknownhostsfile",
            vec![
                "~/.ssh/known_hosts".to_owned(),
                "~/.ssh/known_hosts2".to_owned(),
            ],
        );
    }
    for (option, family) in ALGORITHMS {
        let list = family
            .assemble(state.get(option))
            .map_err(|why| format!("{option}: {why}"))?;
        state.put(option, vec![list]);
    }
    for option in NONE_CLEARS {
        if state
            .get(option)
            .is_some_and(|value| value.eq_ignore_ascii_case("none"))
        {
            state.clear(option);
        }
    }
    Ok(())
}

/// Turns a jump that won into the option, and refuses one that leads to the host itself.
fn proxies(state: &mut State, host: &str) -> Result<(), String> {
    let Some(Jump::By { last, before }) = state.jump.take() else {
        return Ok(());
    };
    let user = state.get("user");
    let same_user = last.user.as_deref().is_none_or(|login| Some(login) == user);
    let port = last.port.unwrap_or(22).to_string();
    if last.host == host && state.get("port") == Some(port.as_str()) && same_user {
        return Err(format!(
            "jumphost loop via {host}: ProxyJump leads to the host itself; exclude it with `Host * !{host}`, or set ProxyJump none for it"
        ));
    }
    let numeric = last.host.contains(':')
        || last
            .host
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let mut shown = before
        .map(|before| format!("{before},"))
        .unwrap_or_default();
    if let Some(user) = &last.user {
        shown.push_str(&format!("{user}@"));
    }
    if numeric {
        shown.push_str(&format!("[{}]", last.host));
    } else {
        shown.push_str(&last.host);
    }
    if let Some(port) = last.port {
        shown.push_str(&format!(":{port}"));
    }
    state.put("proxyjump", vec![shown]);
    state.put("proxyusefdpass", vec!["no".to_owned()]);
    Ok(())
}

/// Puts an option into lower case.
fn lower(state: &mut State, option: &'static str) -> Option<String> {
    let value = state.get(option)?.to_ascii_lowercase();
    state.put(option, vec![value.clone()]);
    Some(value)
}

/// What OpenSSH refuses or mends once all is known.
fn consistent(state: &mut State) -> Result<(), String> {
    if state.get("proxycommand") == Some("-") && state.get("proxyusefdpass") == Some("yes") {
        return Err("proxycommand - and proxyusefdpass do not go together; remove one".to_owned());
    }
    if state.get("updatehostkeys") == Some("ask") {
        let quiet = matches!(state.get("loglevel"), Some("SILENT" | "FATAL" | "ERROR"));
        let persists = state.get("controlpersist") != Some("no") && state.is_set("controlpath");
        let commanded = state.is_set("remotecommand") || state.get("requesttty") == Some("false");
        if persists || commanded || quiet {
            state.put("updatehostkeys", vec!["false".to_owned()]);
        }
    }
    if state.get("connectionattempts") == Some("0") {
        return Err("connectionattempts must be at least 1".to_owned());
    }
    let forks = state.get("forkafterauthentication") == Some("yes");
    if forks && !state.is_set("remotecommand") && state.get("sessiontype") != Some("none") {
        return Err("forkafterauthentication needs a RemoteCommand or SessionType none".to_owned());
    }
    for option in ["globalknownhostsfile", "userknownhostsfile"] {
        let none = state
            .get(option)
            .is_some_and(|value| value.eq_ignore_ascii_case("none"));
        if none {
            state.clear(option);
        }
    }
    Ok(())
}

/// Expands what OpenSSH expands before it prints; the rest is for whoever uses the value.
fn expanded(state: &mut State, tokens: &Tokens) -> Result<(), String> {
    if let Some(command) = state.get("remotecommand") {
        let command = tokens
            .expand(command, false)
            .map_err(|why| format!("remotecommand: {why}"))?;
        state.put("remotecommand", vec![command]);
    }
    for option in ["controlpath", "identityagent"] {
        path(state, option, tokens)?;
    }
    if !matches!(state.get("forwardagent"), Some("yes" | "no")) {
        path(state, "forwardagent", tokens)?;
        let gone = state
            .get("forwardagent")
            .is_some_and(|socket| !Path::new(socket).exists());
        if gone && state.get("exitonforwardfailure") == Some("yes") {
            return Err("forwardagent: there is no such socket".to_owned());
        }
    }
    path(state, "userknownhostsfile", tokens)?;
    for forward in state.local.iter_mut().chain(&mut state.remote) {
        forward
            .expand(tokens)
            .map_err(|why| format!("forward: {why}"))?;
    }
    Ok(())
}

fn path(state: &mut State, option: &'static str, tokens: &Tokens) -> Result<(), String> {
    let values = state.all(option).iter();
    let values: Result<Vec<String>, String> = values
        .map(|value| tokens.expand(&tilde(value)?, true))
        .collect();
    let values = values.map_err(|why| format!("{option}: {why}"))?;
    if !values.is_empty() {
        state.put(option, values);
    }
    Ok(())
}

/// Joins the options that are printed on one line, with the word for an empty list.
fn one_line(state: &mut State) {
    for (option, empty) in [
        ("canonicaldomains", "none"),
        ("canonicalizepermittedcnames", "none"),
        ("globalknownhostsfile", "none"),
        ("logverbose", "none"),
        ("permitremoteopen", "any"),
        ("userknownhostsfile", "none"),
    ] {
        let values = state.all(option);
        let line = if values.is_empty() {
            empty.to_owned()
        } else {
            values.join(" ")
        };
        state.put(option, vec![line]);
    }
    let rekey = format!(
        "{} {}",
        state.get("rekeylimit").unwrap_or("0"),
        state.get("rekeyinterval").unwrap_or("0")
    );
    state.put("rekeylimit", vec![rekey]);
    state.clear("rekeyinterval");
}
