//! Every keyword of ssh_config(5) in OpenSSH 9.2 as Debian ships it, and how its arguments are read.

use super::algorithms::Family;

/// Pairs of a word and how `ssh -G` prints what it means.
pub(super) type Choices = &'static [(&'static str, &'static str)];

/// How the arguments of a keyword are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Host,
    Match,
    Include,
    /// One of some words.
    Choice(Choices),
    /// Seconds, in ssh's time format.
    Time,
    /// From 0.
    Number,
    /// One argument, taken as it is.
    Text,
    /// The rest of the line.
    Command,
    ProxyCommand,
    ProxyJump,
    Port,
    Algorithms(Family),
    /// Each line adds one; at most so many.
    Paths(usize),
    /// The first line with arguments wins; at most so many arguments.
    Array(usize),
    /// The first line wins, and of that its first argument.
    LogVerbose,
    Domains,
    Cnames,
    SendEnv,
    SetEnv,
    LocalForward,
    RemoteForward,
    DynamicForward,
    PermitRemoteOpen,
    Rekey,
    Escape,
    TunnelDevice,
    Quality,
    Persist,
    AddKeys,
    /// A socket or, for `ForwardAgent`, also a yes or no.
    Agent,
    ForwardAgent,
    Mask,
    /// Old names: taken and without effect.
    Ignored,
}

const FLAG: Kind = Kind::Choice(&[
    ("true", "yes"),
    ("false", "no"),
    ("yes", "yes"),
    ("no", "no"),
]);

const TRUTH: Choices = &[
    ("true", "true"),
    ("false", "false"),
    ("yes", "true"),
    ("no", "false"),
    ("ask", "ask"),
];

const STRICT: Choices = &[
    ("true", "true"),
    ("false", "false"),
    ("yes", "true"),
    ("no", "false"),
    ("ask", "ask"),
    ("off", "false"),
    ("accept-new", "accept-new"),
];

const MASTER: Choices = &[
    ("true", "true"),
    ("yes", "true"),
    ("false", "false"),
    ("no", "false"),
    ("auto", "auto"),
    ("ask", "ask"),
    ("autoask", "autoask"),
];

const TUNNEL: Choices = &[
    ("ethernet", "ethernet"),
    ("point-to-point", "point-to-point"),
    ("true", "point-to-point"),
    ("yes", "point-to-point"),
    ("false", "false"),
    ("no", "false"),
];

const TTY: Choices = &[
    ("true", "true"),
    ("yes", "true"),
    ("false", "false"),
    ("no", "false"),
    ("force", "force"),
    ("auto", "auto"),
];

const CANONICALIZE: Choices = &[
    ("true", "true"),
    ("false", "false"),
    ("yes", "true"),
    ("no", "false"),
    ("always", "always"),
];

const PUBKEY: Choices = &[
    ("true", "true"),
    ("false", "false"),
    ("yes", "true"),
    ("no", "false"),
    ("unbound", "unbound"),
    ("host-bound", "host-bound"),
];

const LEVELS: Choices = &[
    // Debian's word for it, printed for both.
    ("silent", "SILENT"),
    ("quiet", "SILENT"),
    ("fatal", "FATAL"),
    ("error", "ERROR"),
    ("info", "INFO"),
    ("verbose", "VERBOSE"),
    ("debug", "DEBUG"),
    ("debug1", "DEBUG"),
    ("debug2", "DEBUG2"),
    ("debug3", "DEBUG3"),
];

const FACILITIES: Choices = &[
    ("daemon", "DAEMON"),
    ("user", "USER"),
    ("auth", "AUTH"),
    ("authpriv", "AUTHPRIV"),
    ("local0", "LOCAL0"),
    ("local1", "LOCAL1"),
    ("local2", "LOCAL2"),
    ("local3", "LOCAL3"),
    ("local4", "LOCAL4"),
    ("local5", "LOCAL5"),
    ("local6", "LOCAL6"),
    ("local7", "LOCAL7"),
];

const HASHES: Choices = &[
    ("md5", "MD5"),
    ("sha1", "SHA1"),
    ("sha256", "SHA256"),
    ("sha384", "SHA384"),
    ("sha512", "SHA512"),
];

const FAMILIES: Choices = &[("inet", "inet"), ("inet6", "inet6"), ("any", "any")];

const SESSION: Choices = &[
    ("none", "none"),
    ("subsystem", "subsystem"),
    ("default", "default"),
];

/// A keyword: its option as `ssh -G` names it, and how it is read. `None` if OpenSSH 9.2 does not know it.
// tidy: table
pub(super) fn look_up(keyword: &str) -> Option<(&'static str, Kind)> {
    use Kind::{Agent, Algorithms, Array, Choice, Command, Ignored, Number, Paths, Text, Time};
    Some(match keyword {
        "host" => ("host", Kind::Host),
        "match" => ("match", Kind::Match),
        "include" => ("include", Kind::Include),

        "addressfamily" => ("addressfamily", Choice(FAMILIES)),
        "batchmode" => ("batchmode", FLAG),
        "canonicalizefallbacklocal" => ("canonicalizefallbacklocal", FLAG),
        "canonicalizehostname" => ("canonicalizehostname", Choice(CANONICALIZE)),
        "checkhostip" => ("checkhostip", FLAG),
        "clearallforwardings" => ("clearallforwardings", FLAG),
        "compression" => ("compression", Choice(&[("yes", "yes"), ("no", "no")])),
        "controlmaster" => ("controlmaster", Choice(MASTER)),
        "enableescapecommandline" => ("enableescapecommandline", FLAG),
        "enablesshkeysign" => ("enablesshkeysign", FLAG),
        "exitonforwardfailure" => ("exitonforwardfailure", FLAG),
        "fingerprinthash" => ("fingerprinthash", Choice(HASHES)),
        "forkafterauthentication" => ("forkafterauthentication", FLAG),
        "forwardx11" => ("forwardx11", FLAG),
        "forwardx11trusted" => ("forwardx11trusted", FLAG),
        "gatewayports" => ("gatewayports", FLAG),
        "gssapiauthentication" => ("gssapiauthentication", FLAG),
        "gssapidelegatecredentials" => ("gssapidelegatecredentials", FLAG),
        "gssapikeyexchange" => ("gssapikeyexchange", FLAG),
        "gssapirenewalforcesrekey" => ("gssapirenewalforcesrekey", FLAG),
        "gssapitrustdns" => ("gssapitrustdns", FLAG),
        "hashknownhosts" => ("hashknownhosts", FLAG),
        "hostbasedauthentication" => ("hostbasedauthentication", FLAG),
        "identitiesonly" => ("identitiesonly", FLAG),
        "kbdinteractiveauthentication"
        | "challengeresponseauthentication"
        | "skeyauthentication"
        | "tisauthentication" => ("kbdinteractiveauthentication", FLAG),
        "loglevel" => ("loglevel", Choice(LEVELS)),
        "nohostauthenticationforlocalhost" => ("nohostauthenticationforlocalhost", FLAG),
        "passwordauthentication" => ("passwordauthentication", FLAG),
        "permitlocalcommand" => ("permitlocalcommand", FLAG),
        "proxyusefdpass" => ("proxyusefdpass", FLAG),
        "pubkeyauthentication" | "dsaauthentication" => ("pubkeyauthentication", Choice(PUBKEY)),
        "requesttty" => ("requesttty", Choice(TTY)),
        "sessiontype" => ("sessiontype", Choice(SESSION)),
        "stdinnull" => ("stdinnull", FLAG),
        "streamlocalbindunlink" => ("streamlocalbindunlink", FLAG),
        "stricthostkeychecking" => ("stricthostkeychecking", Choice(STRICT)),
        "syslogfacility" => ("syslogfacility", Choice(FACILITIES)),
        "tcpkeepalive" | "keepalive" => ("tcpkeepalive", FLAG),
        "tunnel" => ("tunnel", Choice(TUNNEL)),
        "updatehostkeys" => ("updatehostkeys", Choice(TRUTH)),
        "verifyhostkeydns" => ("verifyhostkeydns", Choice(TRUTH)),
        "visualhostkey" => ("visualhostkey", FLAG),

        "connecttimeout" => ("connecttimeout", Time),
        "forwardx11timeout" => ("forwardx11timeout", Time),
        // The other two are Debian's old names for it.
        "serveraliveinterval" | "protocolkeepalives" | "setuptimeout" => {
            ("serveraliveinterval", Time)
        }
        "canonicalizemaxdots" => ("canonicalizemaxdots", Number),
        "connectionattempts" => ("connectionattempts", Number),
        "numberofpasswordprompts" => ("numberofpasswordprompts", Number),
        "requiredrsasize" => ("requiredrsasize", Number),
        "serveralivecountmax" => ("serveralivecountmax", Number),
        "port" => ("port", Kind::Port),

        "bindaddress" => ("bindaddress", Text),
        "bindinterface" => ("bindinterface", Text),
        "controlpath" => ("controlpath", Text),
        "gssapiclientidentity" => ("gssapiclientidentity", Text),
        "gssapikexalgorithms" => ("gssapikexalgorithms", Text),
        "gssapiserveridentity" => ("gssapiserveridentity", Text),
        "hostkeyalias" => ("hostkeyalias", Text),
        "hostname" => ("hostname", Text),
        "ignoreunknown" => ("ignoreunknown", Text),
        "kbdinteractivedevices" => ("kbdinteractivedevices", Text),
        "pkcs11provider" | "smartcarddevice" => ("pkcs11provider", Text),
        "preferredauthentications" => ("preferredauthentications", Text),
        "revokedhostkeys" => ("revokedhostkeys", Text),
        "securitykeyprovider" => ("securitykeyprovider", Text),
        "user" => ("user", Text),
        "xauthlocation" => ("xauthlocation", Text),
        "identityagent" => ("identityagent", Agent),
        "forwardagent" => ("forwardagent", Kind::ForwardAgent),

        "knownhostscommand" => ("knownhostscommand", Command),
        "localcommand" => ("localcommand", Command),
        "remotecommand" => ("remotecommand", Command),
        "proxycommand" => ("proxycommand", Kind::ProxyCommand),
        "proxyjump" => ("proxyjump", Kind::ProxyJump),

        "casignaturealgorithms" => ("casignaturealgorithms", Algorithms(Family::Signatures)),
        "ciphers" => ("ciphers", Algorithms(Family::Ciphers)),
        "hostbasedacceptedalgorithms" | "hostbasedkeytypes" => {
            ("hostbasedacceptedalgorithms", Algorithms(Family::Keys))
        }
        "hostkeyalgorithms" => ("hostkeyalgorithms", Algorithms(Family::Keys)),
        "kexalgorithms" => ("kexalgorithms", Algorithms(Family::Kex)),
        "macs" => ("macs", Algorithms(Family::Macs)),
        "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => {
            ("pubkeyacceptedalgorithms", Algorithms(Family::Keys))
        }

        "certificatefile" => ("certificatefile", Paths(100)),
        "identityfile" | "identityfile2" => ("identityfile", Paths(100)),
        "globalknownhostsfile" => ("globalknownhostsfile", Array(32)),
        "userknownhostsfile" => ("userknownhostsfile", Array(32)),
        "logverbose" => ("logverbose", Kind::LogVerbose),
        "canonicaldomains" => ("canonicaldomains", Kind::Domains),
        "canonicalizepermittedcnames" => ("canonicalizepermittedcnames", Kind::Cnames),
        "sendenv" => ("sendenv", Kind::SendEnv),
        "setenv" => ("setenv", Kind::SetEnv),
        "localforward" => ("localforward", Kind::LocalForward),
        "remoteforward" => ("remoteforward", Kind::RemoteForward),
        "dynamicforward" => ("dynamicforward", Kind::DynamicForward),
        "permitremoteopen" => ("permitremoteopen", Kind::PermitRemoteOpen),

        "addkeystoagent" => ("addkeystoagent", Kind::AddKeys),
        "controlpersist" => ("controlpersist", Kind::Persist),
        "escapechar" => ("escapechar", Kind::Escape),
        "ipqos" => ("ipqos", Kind::Quality),
        "rekeylimit" => ("rekeylimit", Kind::Rekey),
        "streamlocalbindmask" => ("streamlocalbindmask", Kind::Mask),
        "tunneldevice" => ("tunneldevice", Kind::TunnelDevice),

        "protocol"
        | "cipher"
        | "fallbacktorsh"
        | "globalknownhostsfile2"
        | "rhostsauthentication"
        | "userknownhostsfile2"
        | "useroaming"
        | "usersh"
        | "useprivilegedport"
        | "useblacklistedkeys"
        | "afstokenpassing"
        | "kerberosauthentication"
        | "kerberostgtpassing"
        | "rsaauthentication"
        | "rhostsrsaauthentication"
        | "compressionlevel" => ("ignored", Ignored),
        _ => return None,
    })
}
