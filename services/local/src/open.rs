//! The platform while it is open to everybody: the demo plays, and commands from other processes are carried out.

use service_kit::Error;
use tokio_util::sync::CancellationToken;

use crate::admin::Parts;
use crate::args::Args;
use crate::checklist::say;
use crate::control::Control;
use crate::demo::{self, Demo, Gateway, Plan};
use crate::faults::{Stage, Switches};
use crate::folder::Folder;
use crate::job;
use crate::services::Services;
use crate::settings::Given;
use crate::welcome::Welcome;

/// The platform while it is open to everybody.
pub(crate) struct Open<'a> {
    pub(crate) args: &'a Args,
    pub(crate) folder: &'a Folder,
    pub(crate) given: Given<'a>,
    pub(crate) url: &'a str,
    pub(crate) switches: Switches,
    pub(crate) parts: Parts,
}

impl Open<'_> {
    /// Waits for `stop`, or for the first part that ends by itself; in between the demo plays, and commands are carried out.
    pub(crate) async fn until_ended(
        self,
        services: &mut Services,
        control: Option<&Control>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let stop_guests = stop.child_token();
        let gateway = Gateway::new(self.url, &self.given.secrets.admin_token, self.given.secrets.a_write_key())?;
        let activity = self.given.activity()?;
        let (kafka, topic) =
            (activity.kafka.clone(), activity.topic().map_err(|error| Error::Usage(error.to_string()))?);
        let rules = job::rules(self.given.backends, self.folder)?;
        let (url, write_key) = (self.url.to_owned(), self.given.secrets.a_write_key().to_owned());
        let welcome = Welcome { url, write_key };
        let (demo, playing) = if self.args.demo.no_demo {
            welcome.lines("1").iter().for_each(|line| say(line));
            (None, None)
        } else {
            let plan = Plan {
                seed: self.args.demo.demo_seed,
                rate: self.args.demo.demo_rate,
                gateway: gateway.clone(),
                currency: self.given.catalog()?.shop_currency,
                file: self.folder.join(demo::FILE),
                kafka: kafka.clone(),
                topic: topic.to_owned(),
                rules: rules.clone(),
                welcome,
            };
            let (demo, play) = Demo::new(plan, stop_guests.clone());
            (Some(demo), Some(tokio::spawn(play)))
        };
        let stage = Stage {
            demo,
            gateway,
            kafka,
            topic: topic.to_owned(),
            rules,
            parts: self.parts,
            backends: self.given.backends,
            switches: self.switches,
        };
        let commands = async {
            match control {
                Some(control) => control.serve(&stage, &stop_guests).await,
                None => {
                    stop_guests.cancelled().await;
                    Ok(())
                }
            }
        };
        tokio::pin!(commands);
        let ended = tokio::select! {
            ended = services.run_until(stop) => {
                stop_guests.cancel();
                // What was taken down is put up again first: whoever stops needs it.
                ended.and(commands.await)
            }
            failed = &mut commands => failed,
        };
        stop_guests.cancel();
        if let Some(playing) = playing
            && let Err(panic) = playing.await
        {
            tracing::error!(%panic, "the demo has failed");
        }
        ended
    }
}
