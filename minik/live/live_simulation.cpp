#include "minik/live/live_simulation.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <vector>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/schema/kinds.h"
#include "minik/live/live_command.h"
#include "minik/live/outside_gate.h"
#include "minik/live/simulated_streams.h"
#include "minik/net/api_front.h"
#include "minik/net/http_server.h"
#include "minik/net/io_threads.h"
#include "minik/net/listen.h"
#include "minik/process/private_file.h"
#include "sim/run.h"

namespace minik {

using control::Value;

namespace {

constexpr size_t kIoThreads = 2;
constexpr Duration kGoodbye = milliseconds(200);

Instant real_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return {now.tv_sec * 1'000'000'000LL + now.tv_nsec};
}

WallTime real_wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return {now.tv_sec * 1'000'000'000LL + now.tv_nsec};
}

HttpResponse refusal(const Error& error) {
  return HttpResponse::text(error.code == ErrorCode::kNotFound ? 404 : 400, error.message + "\n");
}

// What is decided: it held, or it cannot any more.
struct Settled : sim::RunListener {
  std::set<std::string> findings;
  void on_finding(Duration, const sim::Finding& finding) override { findings.insert(finding.what); }
};

}  // namespace

// In order of construction: what stands below uses what stands above, and goes first.
struct LiveSimulation::Parts {
  const sim::Scenario& scenario;
  LiveOptions options;
  ClusterPki pki;
  Settled settled;
  std::vector<Value> did;  // in this turn
  sim::Run run;
  OutsideGate gate;
  Pace pace;
  std::atomic<int64_t> wall_ns;  // of virtual time, for the threads that encode
  SimulatedStreams streams;
  std::unique_ptr<ApiPages> pages;
  std::unique_ptr<ApiFront> front;
  UniqueFd api_listener, command_listener;
  std::shared_ptr<TlsServer> tls;
  uint16_t port = 0;
  std::unique_ptr<IoThreads> io;
  std::unique_ptr<HttpServer> api_server, command_server;
  std::vector<Responder> steppers;  // who waits for the end of a step
  std::optional<std::string> hash_at_end;
  bool stopping = false;

  Parts(const sim::Scenario& s, LiveOptions o)
      : scenario(s),
        options(std::move(o)),
        run(scenario, {.seed = options.seed, .listeners = {&settled},
                       .on_action = [this](Duration at, const std::string& what) { hear(at, what); }, .audit_policy = {}, .audit = {},
                       .field_accounts = options.field_accounts, .watched = true, .custom_kinds = true}),
        gate(run.cluster().executor()),
        pace(options.speed, options.paused, real_now()),
        wall_ns(gate.wall_now().ns),
        streams(gate, [this] { return run.cluster().running_api(); }) {}

  void hear(Duration at, const std::string& what) {
    did.emplace_back(what);
    if (options.on_action) options.on_action(at, what);
  }
  Status listen();
  void assemble();
  void go_on();
  void obey(const LiveCommand& command, const Responder& responder);
  Status may_handle(const control::ApiRequest& request) const;
  Value status();
  // `done`: what came at once of what was injected.
  void answer(const Responder& responder, const Value& done = {});
};

Status LiveSimulation::Parts::listen() {
  MINIK_TRY(make_folder(options.folder, 0700));
  ServerNames names;
  names.addresses = {options.address};
  MINIK_ASSIGN(pki, open_pki(options.folder + "/pki", names, real_wall_now()));
  MINIK_ASSIGN(api_listener, listen_tcp(options.address, options.port));
  port = local_port(api_listener.get());
  MINIK_ASSIGN(command_listener, listen_unix(socket_of(options.folder)));
  MINIK_ASSIGN(tls, TlsServer::create({pki.server.certificate_pem, pki.server.private_key_pem, pki.ca.certificate_pem}));
  return {};
}

void LiveSimulation::Parts::assemble() {
  const control::Schema& schema = run.cluster().api().schema();
  ApiPagesOptions page_options;
  page_options.server_address = cat(options.address, ":", port);
  pages = std::make_unique<ApiPages>(schema, std::move(page_options));
  ApiFrontOptions front_options;
  front_options.schema = &schema;
  front_options.control = &gate;
  front_options.server = [this] { return run.cluster().running_api(); };
  front_options.authenticate = authenticate_with({});
  front_options.pages = pages.get();
  front_options.streams = &streams;
  front_options.wall_now = [this] { return WallTime{wall_ns.load(std::memory_order_relaxed)}; };
  front_options.may_handle = [this](const control::ApiRequest& request) { return may_handle(request); };
  front = std::make_unique<ApiFront>(std::move(front_options));
  io = std::make_unique<IoThreads>(kIoThreads);
  HttpServerOptions server_options;
  server_options.error_response = ApiFront::error_response;
  server_options.admit_body = [this](const HttpRequest& head) { return front->admit_body(head); };
  api_server = std::make_unique<HttpServer>(*io, std::move(server_options), [this](HttpRequest request, Responder responder) {
    front->handle(std::move(request), std::move(responder));
  });
  command_server = std::make_unique<HttpServer>(*io, HttpServerOptions{}, [this](const HttpRequest& request, Responder responder) {
    auto command = parse_live_command(request);
    if (!command) return responder.respond(refusal(command.error()));
    gate.post([this, command = *std::move(command), responder = std::move(responder)] { obey(command, responder); });
  });
}

// What needs time to pass would be waited for in vain.
Status LiveSimulation::Parts::may_handle(const control::ApiRequest& request) const {
  const bool is_usage = request.kind == control::kinds::kMetricsNodes || request.kind == control::kinds::kMetricsPods;
  if (!is_usage || !pace.paused()) return {};
  return Error(ErrorCode::kServiceUnavailable,
               "usage is measured over a second, and the simulation's time stands still: minik sim resume, or minik sim "
               "speed, lets it move");
}

void LiveSimulation::Parts::obey(const LiveCommand& command, const Responder& responder) {
  const Instant real = real_now(), now = gate.now();
  switch (command.what) {
    case LiveCommand::What::kStatus: break;
    case LiveCommand::What::kPause: pace.pause(real, now); break;
    case LiveCommand::What::kResume: pace.resume(real, now); break;
    case LiveCommand::What::kSpeed: pace.set_speed(command.speed, real, now); break;
    case LiveCommand::What::kStep:
      pace.step(command.step, now);
      steppers.push_back(responder);
      return;
    case LiveCommand::What::kInject: {
      did.clear();
      const Status injected = run.inject(command.document, "inject");
      if (!injected) return responder.respond(refusal(injected.error()));
      return answer(responder, Value::array(std::exchange(did, {})));
    }
  }
  answer(responder);
}

void LiveSimulation::Parts::answer(const Responder& responder, const Value& done) {
  const Value said = done.has_value() ? status().with("did", done) : status();
  responder.respond({200, {{"content-type", "application/json"}}, control::to_pretty_json(said)});
}

Value LiveSimulation::Parts::status() {
  auto& cluster = run.cluster();
  const auto names = cluster.node_names();
  const auto running = std::ranges::count_if(names, [&](const std::string& name) { return cluster.node_running(name); });
  std::vector<Value> findings;
  for (const auto& finding : run.conclude().findings) {
    const bool is_settled = settled.findings.contains(finding.what);
    findings.push_back(Value::map({{"what", finding.what},
                                   {"held", finding.held},
                                   {"settled", is_settled},
                                   {"detail", is_settled || run.over() ? finding.detail : ""}}));
  }
  return Value::map({{"scenario", scenario.name},
                     {"seed", cat(options.seed)},
                     {"state", pace.paused() ? "paused" : pace.stepping() ? "stepping" : "running"},
                     {"speed", format_speed(pace.speed())},
                     {"virtualTime", format_duration(milliseconds(gate.now().ns / 1'000'000))},
                     {"clock", format_time(gate.wall_now())},
                     {"duration", format_duration(scenario.duration)},
                     {"api", cat("https://", options.address, ":", port)},
                     {"nodes", static_cast<int64_t>(names.size())},
                     {"nodesRunning", static_cast<int64_t>(running)},
                     {"pods", static_cast<int64_t>(cluster.store().count(control::kinds::kPods))},
                     {"expectations", Value::array(std::move(findings))},
                     {"trace", cat("sha256:", run.conclude().trace_hash)},
                     {"traceAtEnd", hash_at_end ? Value(cat("sha256:", *hash_at_end)) : Value()}});
}

// One turn: as far as the pace allows and nobody knocks, then who knocks.
void LiveSimulation::Parts::go_on() {
  const Instant allowed = pace.allowed(real_now(), gate.now());
  run.advance(Duration{allowed.ns}, [this] { return gate.waiting(); });
  wall_ns.store(gate.wall_now().ns, std::memory_order_relaxed);
  if (!hash_at_end && run.over()) {
    const auto outcome = run.conclude();
    hash_at_end = outcome.trace_hash;
    if (options.on_end) options.on_end(outcome);
  }
  did.clear();
  gate.let_in();
  if (!pace.stepping() || gate.now() >= *pace.step_end()) {
    for (const auto& responder : std::exchange(steppers, {})) {
      (void)pace.allowed(real_now(), gate.now());
      answer(responder);
    }
  }
  const auto rest = pace.rest(gate.now(), run.next());
  if (!stopping && (!rest || rest->ns > 0)) gate.wait(rest);
}

LiveSimulation::LiveSimulation() = default;
LiveSimulation::~LiveSimulation() = default;

Result<std::unique_ptr<LiveSimulation>> LiveSimulation::open(const sim::Scenario& scenario, LiveOptions options) {
  std::unique_ptr<LiveSimulation> live(new LiveSimulation());
  live->parts_ = std::make_unique<Parts>(scenario, std::move(options));
  MINIK_TRY(live->parts_->run.start());
  MINIK_TRY(live->parts_->listen());
  live->parts_->assemble();
  return live;
}

void LiveSimulation::run(const std::function<void()>& ready) {
  auto& p = *parts_;
  p.api_server->serve(std::move(p.api_listener), p.tls);
  p.command_server->serve(std::move(p.command_listener), nullptr);
  ready();
  while (!p.stopping) p.go_on();
  p.steppers.clear();
  p.command_server->stop(kGoodbye);
  p.api_server->stop(kGoodbye);
  p.api_server.reset();
  p.command_server.reset();
  p.io->stop();
}

void LiveSimulation::stop() {
  parts_->gate.post([this] { parts_->stopping = true; });
}

uint16_t LiveSimulation::port() const {
  return parts_->port;
}

size_t LiveSimulation::nodes() const {
  return parts_->run.cluster().node_names().size();
}

const ClusterPki& LiveSimulation::keys() const {
  return parts_->pki;
}

}  // namespace minik
