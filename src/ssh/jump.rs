//! The way to a host: its jump hosts in order, each explained by the same configuration file. Connects to nothing.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use crate::domain::host::{Effective, Target};

use super::config::{Resolver, Spec};
use super::error::Error;
use super::settings::Settings;

/// The most hops on one way.
const HOPS: usize = 16;

/// Who explains hosts: `ssh -G`, or a table in tests.
pub(crate) trait Explain: Sync {
    fn explain(&self, spec: &Spec) -> impl Future<Output = Result<Arc<Effective>, Error>> + Send;
}

impl Explain for Resolver {
    async fn explain(&self, spec: &Spec) -> Result<Arc<Effective>, Error> {
        self.resolve(spec).await
    }
}

/// The hops to `target`, the target itself last.
///
/// As in OpenSSH, the first jump host of a list may have jump hosts of its own; those of the others are overruled by the list.
///
/// # Errors
/// A hop cannot be explained, or the way leads in a circle.
pub(crate) async fn route(
    explain: &impl Explain,
    target: &Target,
) -> Result<Vec<Arc<Settings>>, Error> {
    let mut way = Way {
        explain,
        config: target.config.as_deref(),
        wanted: &target.name,
        seen: Vec::new(),
    };
    way.to(Spec::of(target)).await
}

struct Way<'a, E> {
    explain: &'a E,
    config: Option<&'a Path>,
    wanted: &'a str,
    /// Every hop so far, from the target backwards: where it is, and how it is called.
    seen: Vec<(String, String)>,
}

type Found<'f> = Pin<Box<dyn Future<Output = Result<Vec<Arc<Settings>>, Error>> + Send + 'f>>;

impl<E: Explain> Way<'_, E> {
    fn to(&mut self, spec: Spec) -> Found<'_> {
        Box::pin(async move {
            let settings = self.visit(&spec).await?;
            let mut hops = Vec::new();
            let mut jumps = settings.jump.iter();
            if let Some(first) = jumps.next() {
                hops = self.to(Spec::jump(first, self.config)?).await?;
                for item in jumps {
                    let hop = self.visit(&Spec::jump(item, self.config)?).await?;
                    hops.push(hop);
                }
            }
            hops.push(settings);
            Ok(hops)
        })
    }

    async fn visit(&mut self, spec: &Spec) -> Result<Arc<Settings>, Error> {
        let effective = self.explain.explain(spec).await?;
        let settings = Settings::read(spec, &effective)?;
        // By name, not by address: behind a jump host 127.0.0.1 is another machine.
        let place = settings.label.clone();
        let known = self.seen.iter().any(|(seen, _)| *seen == place);
        self.seen.push((place, settings.label.clone()));
        if known || self.seen.len() > HOPS {
            let chain: Vec<&str> = self.seen.iter().map(|(_, label)| label.as_str()).collect();
            return Err(Error::Loop {
                name: self.wanted.to_owned(),
                chain: chain.join(" \u{2192} "),
                file: self.config.map_or_else(
                    || "ssh_config".to_owned(),
                    |path| path.display().to_string(),
                ),
            });
        }
        Ok(Arc::new(settings))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Hosts and their `ProxyJump`.
    struct Table(BTreeMap<&'static str, &'static str>);

    impl Explain for Table {
        async fn explain(&self, spec: &Spec) -> Result<Arc<Effective>, Error> {
            let jump = self.0.get(spec.name.as_str()).copied().unwrap_or("none");
            let user = spec.user.as_deref().unwrap_or("me");
            let port = spec.port.unwrap_or(22).to_string();
            let mut effective = Effective::default();
            for (option, value) in [
                ("hostname", spec.name.as_str()),
                ("user", user),
                ("port", &port),
                ("proxyjump", jump),
            ] {
                effective
                    .options
                    .insert(option.to_owned(), vec![value.to_owned()]);
            }
            Ok(Arc::new(effective))
        }
    }

    async fn hops(jumps: &[(&'static str, &'static str)]) -> Result<String, Error> {
        let table = Table(jumps.iter().copied().collect());
        let target = Target {
            name: "web".to_owned(),
            config: None,
        };
        let route = route(&table, &target).await?;
        let labels: Vec<&str> = route.iter().map(|hop| hop.label.as_str()).collect();
        Ok(labels.join(" "))
    }

    #[tokio::test]
    async fn ways_are_found() -> Result<(), Error> {
        type Case = (&'static [(&'static str, &'static str)], &'static str);
        let cases: [Case; 5] = [
            (&[], "web"),
            (&[("web", "b")], "b web"),
            (&[("web", "a,me@b:2222,c")], "a me@b:2222 c web"),
            (&[("web", "b"), ("b", "a")], "a b web"),
            (&[("web", "b,c"), ("b", "a"), ("c", "z")], "a b c web"),
        ];
        for (jumps, expected) in cases {
            assert_eq!(hops(jumps).await?, expected);
        }
        Ok(())
    }

    #[tokio::test]
    async fn circles_are_refused_by_name() {
        let cases: [&[(&str, &str)]; 4] = [
            &[("web", "web")],
            &[("web", "b"), ("b", "a"), ("a", "web")],
            &[("web", "b"), ("b", "b")],
            &[("web", "a,b,a")],
        ];
        for jumps in cases {
            match hops(jumps).await {
                Err(Error::Loop { chain, .. }) => {
                    assert!(chain.starts_with("web \u{2192} "), "{chain}");
                }
                other => unreachable!("{jumps:?} gave {other:?}"),
            }
        }
    }
}
