//! What the OpenSSH client cannot be told from a script: signals by name, and a window that changes its size.

use std::error::Error;
use std::io::Read;
use std::sync::Arc;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use russh::client::{self, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Channel, ChannelMsg, Sig};

use super::Fleet;
use super::LOGIN;
use super::tests::fleet;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Believes every host key: the servers were made by this test.
struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// A connection to the bastion. Dropping it closes it.
async fn connect(fleet: &Fleet) -> Outcome<Handle<Trusting>> {
    let bastion = fleet.hosts().first().ok_or("the bastion comes first")?;
    let config = Arc::new(client::Config::default());
    let mut handle = client::connect(config, ("127.0.0.1", bastion.port), Trusting).await?;
    let key = load_secret_key(fleet.ssh_config().with_file_name("id_ed25519"), None)?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    assert!(handle.authenticate_publickey(LOGIN, key).await?.success());
    Ok(handle)
}

/// Everything that a channel says to its end.
async fn rest(channel: &mut Channel<client::Msg>) -> Vec<ChannelMsg> {
    let mut messages = Vec::new();
    while let Some(message) = channel.wait().await {
        messages.push(message);
    }
    messages
}

/// Waits until the program has printed `wanted`.
async fn heard(channel: &mut Channel<client::Msg>, wanted: &str) -> Outcome {
    let mut text = String::new();
    while !text.contains(wanted) {
        match channel.wait().await {
            Some(ChannelMsg::Data { data }) => text.push_str(&String::from_utf8_lossy(&data)),
            Some(_) => {}
            None => return Err(format!("the channel ended after {text:?}").into()),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_reach_the_program_and_its_end_is_told() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let handle = connect(&fleet).await?;
    for terminal in [false, true] {
        let mut channel = handle.channel_open_session().await?;
        if terminal {
            channel
                .request_pty(true, "xterm", 80, 24, 0, 0, &[])
                .await?;
        }
        channel.exec(true, "echo up; exec sleep 605").await?;
        heard(&mut channel, "up").await?;
        channel.signal(Sig::TERM).await?;
        let messages = rest(&mut channel).await;
        let told = messages.iter().any(|message| {
            matches!(
                message,
                ChannelMsg::ExitSignal {
                    signal_name: Sig::TERM,
                    ..
                }
            )
        });
        assert!(told, "terminal: {terminal}, {messages:?}");
    }
    let mut channel = handle.channel_open_session().await?;
    channel
        .exec(
            true,
            "trap 'exit 9' INT; echo up; while :; do sleep 0.1; done",
        )
        .await?;
    heard(&mut channel, "up").await?;
    channel.signal(Sig::INT).await?;
    let messages = rest(&mut channel).await;
    let told = messages
        .iter()
        .any(|message| matches!(message, ChannelMsg::ExitStatus { exit_status: 9 }));
    assert!(told, "{messages:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_runs_one_program_and_takes_no_environment() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let handle = connect(&fleet).await?;
    let mut channel = handle.channel_open_session().await?;
    channel.set_env(true, "LD_PRELOAD", "/tmp/x.so").await?;
    channel
        .exec(true, "echo \"<$LD_PRELOAD>\"; read -r _")
        .await?;
    channel.exec(true, "echo second").await?;
    let mut replies = Vec::new();
    let mut text = String::new();
    while replies.len() < 3 || text.is_empty() {
        match channel.wait().await.ok_or("the channel ended early")? {
            ChannelMsg::Success => replies.push(true),
            ChannelMsg::Failure => replies.push(false),
            ChannelMsg::Data { data } => text.push_str(&String::from_utf8_lossy(&data)),
            _ => {}
        }
    }
    assert_eq!(replies, [false, true, false]);
    assert_eq!(text, "<>\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_changes_is_seen_on_the_host() -> Outcome {
    let (_folder, fleet) = fleet().await?;
    let config = fleet.ssh_config().to_path_buf();
    let size = |cols, rows| PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    };
    let watching = tokio::task::spawn_blocking(move || -> Result<String, String> {
        let pair = native_pty_system()
            .openpty(size(101, 31))
            .map_err(|why| why.to_string())?;
        let mut command = CommandBuilder::new("ssh");
        command.args(["-tt", "-F"]);
        command.arg(config);
        // Its default is the home folder, which not everybody has.
        command.cwd("/");
        command.args([
            "web1",
            "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.1; done",
        ]);
        let mut child = pair
            .slave
            .spawn_command(command)
            .map_err(|why| why.to_string())?;
        drop(pair.slave);
        let mut reader = pair
            .master
            .try_clone_reader()
            .map_err(|why| why.to_string())?;
        let (mut text, mut buffer, mut asked) = (String::new(), [0; 1024], false);
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(
                buffer.get(..count).unwrap_or_default(),
            ));
            if !asked && text.contains("31 101") {
                asked = true;
                pair.master
                    .resize(size(120, 40))
                    .map_err(|why| why.to_string())?;
            }
        }
        child.wait().map_err(|why| why.to_string())?;
        Ok(text)
    });
    let text = tokio::time::timeout(std::time::Duration::from_secs(60), watching).await???;
    assert!(text.contains("40 120"), "{text}");
    Ok(())
}
