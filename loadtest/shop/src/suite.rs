//! The load from its start to the balance.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kit::{Trouble, broker};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::books::Books;
use crate::client::Client;
use crate::platform::Platform;
use crate::user::User;
use crate::{balance, report, shop};

/// How often the bar moves.
const TICK: Duration = Duration::from_secs(1);

/// Runs the load; whether everything was as promised.
pub(crate) fn run(args: &Args) -> Result<bool, Trouble> {
    if !broker::is_available()? {
        return Err("there is no Kafka here; install Java and Maven".into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(load(args))
}

async fn load(args: &Args) -> Result<bool, Trouble> {
    eprintln!("starting the shop");
    let mut platform = Platform::start(&args.programs).await?;
    match measure(args, &mut platform).await {
        Ok(true) => {
            platform.stop().await?;
            Ok(true)
        }
        outcome => {
            eprintln!("logs and data are kept in {}", platform.keep().display());
            outcome
        }
    }
}

async fn measure(args: &Args, platform: &mut Platform) -> Result<bool, Trouble> {
    let books = Arc::new(Books::default());
    let client = Client::new(platform.gateway_url(), Arc::clone(&books))?;
    let products = Arc::new(shop::stock_up(&client, args.products).await?);
    let end = CancellationToken::new();
    let mut users = JoinSet::new();
    for number in 0..args.users {
        let (client, products, books) = (client.clone(), Arc::clone(&products), Arc::clone(&books));
        users.spawn(User::new(number, args.seed, client, products, books, end.clone()).run());
    }
    let restarts = go_on(args, platform).await;
    end.cancel();
    while let Some(ended) = users.join_next().await {
        ended?;
    }
    restarts?;
    let lines = tokio::task::block_in_place(|| {
        let entries = books.open();
        tokio::runtime::Handle::current().block_on(balance::draw(platform, &entries, &products))
    })?;
    let mut entries = books.open();
    println!("{}\n{}\n{}", report::calls(&mut entries), report::failures(&entries), report::balance(&lines));
    println!("{} orders were refused because too few pieces were in stock", entries.out_of_stock);
    for finding in &entries.findings {
        println!("finding: {finding}");
    }
    if entries.more_findings > 0 {
        println!("... and {} more findings", entries.more_findings);
    }
    Ok(entries.findings.is_empty() && lines.iter().all(balance::Line::is_even))
}

/// Lets the load go on for its time, and restarts each service once meanwhile.
async fn go_on(args: &Args, platform: &mut Platform) -> Result<(), Trouble> {
    let bar =
        ProgressBar::new(args.seconds).with_style(ProgressStyle::with_template("{bar:40} {pos} of {len} s {msg}")?);
    let began = tokio::time::Instant::now();
    let names = if args.no_restarts { Vec::new() } else { platform.names() };
    let parts = u32::try_from(names.len())? + 1;
    for (name, part) in names.iter().zip(1..) {
        wait_until(began + args.duration() * part / parts, began, &bar).await;
        let away = platform.restart(name, args.kill).await?;
        bar.println(format!("{name} was away for {:.2} s", away.as_secs_f32()));
    }
    wait_until(began + args.duration(), began, &bar).await;
    bar.finish_and_clear();
    Ok(())
}

async fn wait_until(until: tokio::time::Instant, began: tokio::time::Instant, bar: &ProgressBar) {
    while tokio::time::Instant::now() < until {
        tokio::time::sleep_until(until.min(tokio::time::Instant::now() + TICK)).await;
        bar.set_position(began.elapsed().as_secs());
    }
}
