//! tough as a driver (see ../../README.md for the protocol).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tough::{HttpTransportBuilder, IntoVec, Repository, RepositoryLoader, TargetName};
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    metadata_url: Url,
    targets_url: Url,
    root: PathBuf,
    state: PathBuf,
    targets: Vec<String>,
}

#[derive(Serialize)]
struct Versions {
    root: u64,
    timestamp: u64,
    snapshot: u64,
}

#[derive(Serialize)]
struct Target {
    path: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
enum Outcome {
    Verified { sha256: String },
    Absent,
    Refused { error: String },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Refreshed { ok: bool, versions: Versions, targets: Vec<Target> },
    Failed { ok: bool, error: String },
}

type Fallible<T> = Result<T, Box<dyn Error>>;

async fn answer(request: Request) -> Answer {
    match refresh(&request).await {
        Ok(repository) => refreshed(&repository, request.targets).await,
        Err(error) => Answer::Failed { ok: false, error: error.to_string() },
    }
}

async fn refresh(request: &Request) -> Fallible<Repository> {
    let root = tokio::fs::read(&request.root).await?;
    // tough waits the initial back-off before the first try already.
    let transport = HttpTransportBuilder::new().timeout(TIMEOUT).tries(0).initial_backoff(Duration::ZERO).build();
    let loader = RepositoryLoader::new(&root, request.metadata_url.clone(), request.targets_url.clone())
        .transport(transport)
        .datastore(&request.state);
    Ok(loader.load().await?)
}

async fn refreshed(repository: &Repository, paths: Vec<String>) -> Answer {
    let versions = Versions {
        root: repository.root().signed.version.get(),
        timestamp: repository.timestamp().signed.version.get(),
        snapshot: repository.snapshot().signed.version.get(),
    };
    let mut targets = Vec::with_capacity(paths.len());
    for path in paths {
        let outcome = match fetch(repository, &path).await {
            Ok(Some(sha256)) => Outcome::Verified { sha256 },
            Ok(None) => Outcome::Absent,
            Err(error) => Outcome::Refused { error: error.to_string() },
        };
        targets.push(Target { path, outcome });
    }
    Answer::Refreshed { ok: true, versions, targets }
}

/// The SHA-256 of the verified bytes, in hex, or nothing if no trusted role lists the path.
async fn fetch(repository: &Repository, path: &str) -> Fallible<Option<String>> {
    let Some(stream) = repository.read_target(&TargetName::new(path)?).await? else {
        return Ok(None);
    };
    let content = stream.into_vec().await?;
    Ok(Some(format!("{:x}", Sha256::digest(&content))))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let mut answers = std::io::stdout();
    for line in std::io::stdin().lines() {
        let request = serde_json::from_str(&line?)?;
        serde_json::to_writer(&mut answers, &answer(request).await)?;
        answers.write_all(b"\n")?;
        answers.flush()?;
    }
    Ok(())
}
