//! An SFTP server in this process that lies: about names, about sizes, about what it was asked for.

use std::path::Path;
use std::sync::Arc;

use russh::Channel;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream,
};
use russh::{ChannelId, MethodKind, MethodSet};
use russh_sftp::protocol::{
    Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::lab::Failed;

/// The names that its folder `tree` claims to have.
const NAMES: &[&str] = &[
    ".",
    "..",
    "../escape",
    "/abs",
    "a/b",
    "nul\0x",
    "",
    "good",
    "\u{1b}[31mred",
    "deep",
];

/// How many bytes it gives at once, whatever is asked for.
const STINGY: usize = 1000;

/// The server.
pub(crate) struct Hostile {
    pub(crate) port: u16,
    /// Its host key in the form of known_hosts.
    pub(crate) key: String,
    task: JoinHandle<()>,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hostile {
    /// Starts it with the host key in `key`; it lets everybody in.
    pub(crate) async fn start(key: &Path) -> Result<Self, Failed> {
        let host_key = russh::keys::load_secret_key(key, None)?;
        let shown = host_key.public_key().to_openssh()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let config = Arc::new(Config {
            methods: MethodSet::from(&[MethodKind::PublicKey][..]),
            keys: vec![host_key],
            ..Config::default()
        });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    let door = Door { channel: None };
                    if let Ok(running) = run_stream(config, stream, door).await {
                        running.await.ok();
                    }
                });
            }
        });
        Ok(Self {
            port,
            key: shown,
            task,
        })
    }

    /// What a file that it gives holds.
    pub(crate) fn contents(len: usize) -> Vec<u8> {
        (0..len).map(|index| (index % 251) as u8).collect()
    }
}

struct Door {
    channel: Option<Channel<Msg>>,
}

impl Handler for Door {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        self.channel = Some(channel);
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(id)?;
        if let Some(channel) = self.channel.take() {
            russh_sftp::server::run(channel.into_stream(), Liar::default()).await;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Liar {
    listed: bool,
}

fn ok(id: u32) -> Status {
    Status {
        id,
        status_code: StatusCode::Ok,
        error_message: String::new(),
        language_tag: String::new(),
    }
}

fn size(path: &str) -> u64 {
    match path.rsplit('/').next() {
        Some("shrinks") => 10_000,
        Some("stingy") => 100_000,
        _ => 5,
    }
}

/// What it says of a path: folders are called `tree` and `deep`.
fn attrs(path: &str) -> FileAttributes {
    let folder = path.ends_with("tree") || path.ends_with("deep");
    FileAttributes {
        size: Some(size(path)),
        permissions: Some(if folder { 0o040_755 } else { 0o100_644 }),
        ..FileAttributes::empty()
    }
}

impl russh_sftp::server::Handler for Liar {
    type Error = StatusCode;

    fn unimplemented(&self) -> StatusCode {
        StatusCode::OpUnsupported
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusCode> {
        let files = vec![File::dummy(format!("/{path}"))];
        Ok(Name { id, files })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusCode> {
        let attrs = attrs(&path);
        Ok(Attrs { id, attrs })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusCode> {
        self.stat(id, path).await
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusCode> {
        self.stat(id, handle).await
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusCode> {
        self.listed = false;
        Ok(Handle { id, handle: path })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusCode> {
        if std::mem::replace(&mut self.listed, true) {
            return Err(StatusCode::Eof);
        }
        // A folder in a folder in a folder, without an end.
        let names = if handle.ends_with("deep") {
            &["deep"][..]
        } else {
            NAMES
        };
        let files = names.iter().map(|name| File::new(*name, attrs(name)));
        let files = files.collect();
        Ok(Name { id, files })
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        _: OpenFlags,
        _: FileAttributes,
    ) -> Result<Handle, StatusCode> {
        let handle = filename;
        Ok(Handle { id, handle })
    }

    async fn read(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        len: u32,
    ) -> Result<Data, StatusCode> {
        let end = match handle.rsplit('/').next() {
            Some("shrinks") => 5000,
            _ => usize::try_from(size(&handle)).unwrap_or(0),
        };
        let (from, len) = (offset as usize, len as usize);
        let data = match handle.rsplit('/').next() {
            Some("generous") => vec![b'x'; len + 1],
            _ if from >= end => return Err(StatusCode::Eof),
            _ => {
                let to = end.min(from + len.min(STINGY));
                Hostile::contents(end)[from..to].to_vec()
            }
        };
        Ok(Data { id, data })
    }

    async fn close(&mut self, id: u32, _: String) -> Result<Status, StatusCode> {
        Ok(ok(id))
    }
}
