//! What requests meet first: those that readers rest on are answered here, and those that write take turns.

use std::sync::Arc;

use rama::{Context, Service};
use tansu_broker::coordinator::group::Coordinator;
use tansu_broker::service::{auth, coordinator, storage};
use tansu_broker::{Error, Result};
use tansu_sans_io::{
    ApiKey as _, Body, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest, Frame, Header,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, ListOffsetsRequest, OffsetCommitRequest, ProduceRequest,
};
use tansu_service::FrameRouteService;
use tansu_storage::slate::Engine;
use tokio::sync::Mutex;

use super::epochs;
use super::log::Log;

/// Requests that change what topics, producers and offsets are, and remove records.
const WRITES: [i16; 6] = [
    CreateTopicsRequest::KEY,
    DeleteRecordsRequest::KEY,
    DeleteTopicsRequest::KEY,
    IncrementalAlterConfigsRequest::KEY,
    InitProducerIdRequest::KEY,
    OffsetCommitRequest::KEY,
];

/// Held by whoever writes, until it is in a file.
///
/// The engine's transactions overwrite one another where they overlap. It takes the number of the last commit, and only then
/// notes that a transaction has begun (`Db::begin` of slatedb 0.10): what is committed in between is neither seen by it
/// nor held against it. Records and the sequence numbers of producers were lost that way.
pub(super) type Turn = Arc<Mutex<()>>;

/// The broker's requests.
#[derive(Clone, Debug)]
pub(super) struct Front {
    route: FrameRouteService<(), Error>,
    log: Arc<Log>,
    turn: Turn,
}

impl Front {
    pub(super) fn new(engine: Engine, groups: impl Coordinator, log: Arc<Log>) -> Result<Self> {
        let builder = storage::services(FrameRouteService::<(), Error>::builder(), engine)?;
        let builder = auth::services(coordinator::services(builder, groups)?)?;
        Ok(Front { route: builder.build()?, log, turn: Turn::default() })
    }

    /// For those who write beside requests.
    pub(super) fn turn(&self) -> Turn {
        Arc::clone(&self.turn)
    }
}

impl Service<(), Frame> for Front {
    type Response = Frame;
    type Error = Error;

    async fn serve(&self, context: Context<()>, request: Frame) -> Result<Frame> {
        let correlation_id = request.correlation_id()?;
        let answer = |body: Body| Frame { size: 0, header: Header::Response { correlation_id }, body };
        match request.api_key()? {
            FetchRequest::KEY => Ok(answer(self.log.fetch(&request.body.try_into()?).await?.into())),
            ListOffsetsRequest::KEY => Ok(answer(self.log.list_offsets(&request.body.try_into()?).await?.into())),
            ProduceRequest::KEY => {
                let mut produce: ProduceRequest = request.body.try_into()?;
                epochs::forget_later(&mut produce);
                let request = Frame { body: produce.into(), ..request };
                let _turn = self.turn.lock().await;
                let answer = self.route.serve(context, request).await;
                self.log.has_grown();
                answer
            }
            key if WRITES.contains(&key) => {
                let _turn = self.turn.lock().await;
                self.route.serve(context, request).await
            }
            _ => self.route.serve(context, request).await,
        }
    }
}
