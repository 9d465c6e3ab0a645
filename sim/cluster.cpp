#include "sim/cluster.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace kinds = control::kinds;

SimulatedCluster::SimulatedCluster(ClusterOptions options, Trace* trace)
    : options_(std::move(options)),
      trace_(trace),
      executor_(options_.seed, options_.begin),
      rng_(options_.seed),
      webhooks_(executor_, rng_.fork("webhooks"), [this](const std::string& address) { return reaches(address); }),
      surroundings_(options_.images),
      gate_(rng_.fork("gate")),
      log_(std::make_unique<StoreLog>(options_.store_on_disk ? StoreLog::Where::kDisk : StoreLog::Where::kMemory, schema(),
                                      rng_.fork("disk"), executor_, trace)) {
  parts_.emplace(Component::kControllers, rng_.fork("crashes"));
  parts_.emplace(Component::kScheduler, rng_.fork("scheduler crashes"));
  for (const auto& component : options_.controllers_apart) parts_.emplace(component, rng_.fork(cat("crashes of ", component.name)));
  executor_.set_chance(options_.delays.chance);
  surroundings_.service_answers = [this](const std::string& name) { return service_answers(name); };
  surroundings_.ask = [this](const std::string& node, control::KindId kind, const std::string& token, Surroundings::Answered done) {
    ask_for_pod(node, kind, token, std::move(done));
  };
  gate_.set_pace(options_.api_objects_per_second);
  make_store();
  make_api();
  add_machines();
}

SimulatedCluster::~SimulatedCluster() = default;

std::unique_ptr<SimulatedClient> SimulatedCluster::make_client(const std::string& component, Executor& executor) {
  DeliveryHook hook;
  if (trace_) {
    hook = [this](const std::string& who, const control::WatchEvent& event) {
      trace_->on_delivery(executor_.now(), who, event);
    };
  }
  auto client = std::make_unique<SimulatedClient>(
      executor, [this] { return api_.get(); }, component, rng_.fork(cat("link/", component, "/", lives_++)),
      options_.delays, std::move(hook));
  client->set_gate(&gate_);
  watch_client(*client, component);
  return client;
}

void SimulatedCluster::watch_client(SimulatedClient& client, const std::string& component) {
  if (request_watch_.leaves) {
    client.on_send([this, component](const control::ApiRequest& request) {
      return !is_write(request.verb) || request_watch_.leaves(component, request);
    });
  }
  if (request_watch_.done) {
    client.on_done([this, component](const control::ApiRequest& request) {
      if (is_write(request.verb)) request_watch_.done(component, request);
    });
  }
}

void SimulatedCluster::watch_requests(RequestWatch watch) {
  request_watch_ = std::move(watch);
  if (admin_client_) watch_client(*admin_client_, "admin");
  for (auto& [component, p] : parts_) {
    if (p.process.client) trouble(component, *p.process.client);
  }
  for (auto& [name, m] : machines_) {
    if (m.client) watch_client(*m.client, cat("system:node:", name));
  }
}

std::vector<SimulatedClient*> SimulatedCluster::all_clients() {
  std::vector<SimulatedClient*> all;
  if (admin_client_) all.push_back(admin_client_.get());
  for (auto& [component, p] : parts_) {
    for (const auto* process : {&p.process, &p.old}) {
      if (process->client) all.push_back(process->client.get());
    }
  }
  for (auto& [name, m] : machines_) {
    for (auto* client : clients_of(m)) all.push_back(client);
  }
  if (names_client_) all.push_back(names_client_.get());
  return all;
}

void SimulatedCluster::start() {
  api_->bootstrap();
  admin_client_ = make_client("admin", executor_);
  admin_client_->keep_order();  // what a timeline has one after the other happens so
  for (const auto& component : components()) restart(component);
  for (auto& [name, m] : machines_) boot(m);
  if (!options_.names_cached) return;
  names_client_ = make_client("system:dns", executor_);
  names_heard_ = executor_.now();
  ask_names();
}

void SimulatedCluster::request(control::ApiRequest request, control::ResponseCallback done) {
  admin_client_->send(std::move(request), std::move(done));
}

void SimulatedCluster::set_load(std::string_view image_pattern, int64_t milli_cpu) {
  for (size_t i = 0; i < surroundings_.loads.size(); ++i) {
    if (surroundings_.images[i].match != image_pattern) continue;
    surroundings_.loads[i].settle();
    surroundings_.loads[i].milli_cpu = milli_cpu;
  }
}

void SimulatedCluster::set_load_requests(std::string_view image_pattern, int64_t requests) {
  for (size_t i = 0; i < surroundings_.loads.size(); ++i) {
    if (surroundings_.images[i].match != image_pattern) continue;
    surroundings_.loads[i].settle();
    surroundings_.loads[i].requests = requests;
  }
}

// --- what surrounds containers ---

// The name servers read the Services from the API server, and keep what they know for a while.
void SimulatedCluster::ask_names() {
  static constexpr Duration kPeriod = seconds(10);
  surroundings_.names_known = executor_.now() - names_heard_ <= *options_.names_cached;
  control::ApiRequest request;
  request.verb = control::Verb::kList;
  request.kind = kinds::kServices;
  names_client_->send(std::move(request), [this](const Result<control::ApiResponse>& result) {
    if (result) names_heard_ = executor_.now();
    executor_.after(kPeriod, [this] { ask_names(); });
  });
}

void SimulatedCluster::ask_for_pod(const std::string& node, control::KindId kind, const std::string& token, Surroundings::Answered done) {
  Machine& m = machine(node);
  if (!m.pods_client) m.pods_client = make_client(cat("system:pods:", node), *m.executor);
  m.pods_client->set_connected(m.connected);
  m.pods_client->set_faults(m.faults);
  // As the server reads it: until when it is good stands in it.
  const auto until = parse_int64(std::string_view(token).substr(token.rfind('-') + 1));
  if (!until || executor_.wall_now().ns >= *until) {
    executor_.after(options_.delays.request_max, [done = std::move(done)] { done(Error(ErrorCode::kUnauthorized, "the token has expired")); });
    return;
  }
  control::ApiRequest request;
  request.verb = control::Verb::kList;
  request.kind = kind;
  m.pods_client->send(std::move(request), [done = std::move(done)](const Result<control::ApiResponse>& result) {
    done(result ? Status() : Status(result.error()));
  });
}

bool SimulatedCluster::service_answers(const std::string& name) {
  auto& [at, answers] = service_answers_[name];
  if (at.ns != 0 && executor_.now() - at < seconds(1)) return answers;
  namespace keys = control::keys;
  const size_t slash = name.find('/');
  const std::string namespace_ = name.substr(0, slash), service = name.substr(slash + 1);
  at = executor_.now();
  bool ready = false;
  store_->for_each(kinds::kEndpointslices, [&](const control::Value& slice) {
    if (ready || control::object_namespace(slice) != namespace_) return;
    if (slice[keys::kMetadata][keys::kLabels].get("kubernetes.io/service-name").as_string() != service) return;
    ready = std::ranges::any_of(slice[keys::kEndpoints].items(), [](const control::Value& endpoint) {
      return endpoint[keys::kConditions].get("ready").as_bool(true);
    });
  });
  answers = ready;
  return answers;
}

}  // namespace minik::sim
