// The API server of a simulated cluster and the store under it.
//
// Stopping destroys the server; the store's last state stays to be looked at until the next one is built, from the
// disk when there is one, else from what was committed in memory.
#include "control/base/log.h"
#include "control/base/text.h"
#include "control/schema/kind_registry.h"
#include "control/schema/schema.h"
#include "sim/cluster.h"

namespace minik::sim {

namespace {
// When a control plane that could not be started tries again.
constexpr Duration kStartAgain = seconds(5);
}  // namespace

void SimulatedCluster::make_store() {
  store_ = std::make_unique<control::Store>(*log_, [this, life = ++store_lives_](const Error&) {
    // A commit has failed. Not from inside the store's own call: it goes now.
    executor_.post([this, life] {
      if (life != store_lives_ || !api_) return;
      stop_api();
      executor_.after(kStartAgain, [this, life] {
        if (life == store_lives_ && !api_) start_api();
      });
    });
  });
}

void SimulatedCluster::make_api() {
  control::ApiServerOptions api_options;
  api_options.issue_token = [](const control::TokenOrder& order) -> Result<std::string> {
    return cat("simulated-token-of-", order.bond.namespace_, "-", order.bond.account.name, "-until-", order.expires.ns);
  };
  if (options_.audit_policy) {
    api_options.auditor = std::make_shared<control::Auditor>(
        *options_.audit_policy, rng_.fork(api_lives_ == 0 ? "audit" : cat("audit/", api_lives_)), options_.audit);
  }
  const std::string stream = api_lives_ == 0 ? "api" : cat("api/", api_lives_);
  ++api_lives_;
  api_options.webhook_caller = &webhooks_;
  api_options.field_accounts = options_.field_accounts;
  api_ = std::make_unique<control::ApiServer>(executor_, *store_, schema(), metrics_,
                                              rng_.fork(stream), api_options);
  api_->set_usage_source([this](const std::string& node, control::UsageCallback done) { ask_usage(node, std::move(done)); });
}

void SimulatedCluster::stop_api() {
  disturb();
  if (!api_) return;
  // What the server had decided is written, and nobody hears of it any more.
  store_->commit();
  for (auto* client : all_clients()) client->end_watches();
  api_->end_watches();  // of whoever watches from outside
  api_.reset();
  log_->drop_answers();
}

void SimulatedCluster::start_api() {
  if (api_) return;
  control::RecoveredState state;
  if (log_->on_disk()) {
    auto recovered = log_->recover();
    if (!recovered) {
      MINIK_LOG(kWarning, "store", cat("cannot recover yet: ", recovered.error().message));
      executor_.after(kStartAgain, [this, life = store_lives_] {
        if (life == store_lives_ && !api_) start_api();
      });
      return;
    }
    state = *std::move(recovered);
  } else {
    const auto take = [&](control::KindId kind) {
      store_->for_each(kind, [&](const control::Value& object) {
        state.objects.push_back({control::LogRecord::Kind::kPut, kind, control::object_revision(object), object, {}});
      });
    };
    for (const auto& resource : schema().resources()) take(resource.id);
    if (schema().registry()) {
      for (const auto* resource : schema().registry()->stored()) take(resource->stored_as());
    }
    state.last = store_->revision();
  }
  make_store();
  store_->load(std::move(state));
  make_api();
  api_->bootstrap();
  if (store_listener_) store_listener_();
}

void SimulatedCluster::expire_watches() {
  disturb();
  if (!api_) return;
  for (auto* client : all_clients()) client->end_watches();
  api_->end_watches();
  store_->forget_windows();
}

void SimulatedCluster::cut_store_power() {
  log_->cut_power();
  stop_api();
}

void SimulatedCluster::set_store_full(bool full) {
  disturb();
  log_->set_full(full);
}

void SimulatedCluster::set_store_latency(const Distribution& latency) {
  disturb();
  log_->set_latency(latency);
}

}  // namespace minik::sim
