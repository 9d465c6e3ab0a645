// The probing half of PodWorker: when to ask, how, and what an answer does to the container.
#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/kubelet/pod_worker.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

Result<int> port_of(const Value& port, const Value& container) {
  const std::string_view name = port.as_string();
  std::optional<int64_t> number;
  if (port.is_int()) number = port.as_int();
  for (const auto& p : container[keys::kPorts].items()) {
    if (!number && p[keys::kName] == port) number = p[keys::kContainerPort].as_int();
  }
  if (!number) number = parse_int64(name);
  if (!number) return Error(ErrorCode::kBadRequest, cat("strconv.Atoi: parsing ", quoted(name), ": invalid syntax"));
  if (*number <= 0 || *number > 65535) return Error(ErrorCode::kBadRequest, cat("invalid port number: ", *number));
  return static_cast<int>(*number);
}

}  // namespace

std::string_view PodWorker::title_of(ProbeKind kind) {
  return kind == ProbeKind::kStartup ? "Startup" : kind == ProbeKind::kReadiness ? "Readiness" : "Liveness";
}

Result<HttpProbe> PodWorker::http_request(const Value& action, const Value& container) {
  HttpProbe request;
  request.host = action[keys::kHost].string();
  MINIK_ASSIGN(request.port, port_of(action[keys::kPort], container));
  request.path = action[keys::kPath].string();
  request.https = action[keys::kScheme].as_string() == "HTTPS";
  for (const auto& header : action[keys::kHttpHeaders].items()) {
    request.headers.push_back({header[keys::kName].string(), header[keys::kValue].string()});
  }
  return request;
}

void PodWorker::start_probes(const Value& container, const std::string& id) {
  const std::string name = container[keys::kName].string();
  stop_probes(name);
  wake_probes();
  // The delay is the container's from its start, whatever its hook has taken of it.
  const Duration since_start = context_.executor.now() - state_.containers[name].last_start;
  for (const auto& [kind, key] : {std::pair{ProbeKind::kStartup, keys::kStartupProbe},
                                  std::pair{ProbeKind::kReadiness, keys::kReadinessProbe},
                                  std::pair{ProbeKind::kLiveness, keys::kLivenessProbe}}) {
    const Value& spec = container[key];
    if (!spec.has_value()) continue;
    probes_.push_back(std::make_shared<ProbeRun>(name, id, kind, spec));
    arm_probe(*probes_.back(), std::max(probes_.back()->probe.initial_delay() - since_start, Duration{}));
  }
}

void PodWorker::stop_probes() {
  for (const auto& run : probes_) context_.executor.cancel(run->timer);
  probes_.clear();
}

void PodWorker::stop_probes(const std::string& name) {
  std::erase_if(probes_, [&](const auto& run) {
    if (run->container != name) return false;
    context_.executor.cancel(run->timer);
    return true;
  });
}

PodWorker::ProbeRun* PodWorker::find_probe(const std::string& name, ProbeKind kind) const {
  const auto found = std::ranges::find_if(probes_, [&](const auto& run) { return run->kind == kind && run->container == name; });
  return found == probes_.end() ? nullptr : found->get();
}

void PodWorker::arm_probe(ProbeRun& run, Duration delay) {
  context_.executor.cancel(run.timer);
  run.timer = context_.executor.after(delay, [this, armed = &run] { ask_probe(*armed); });
}

// At the next beat of its period, as a ticker does, however long the answer took.
void PodWorker::arm_next(ProbeRun& run) {
  const Duration period = run.probe.period(), since = context_.executor.now() - run.asked_at;
  const bool on_the_beat = since.ns > 0 && since.ns % period.ns == 0;
  arm_probe(run, on_the_beat ? Duration{} : Duration{period.ns - since.ns % period.ns});
}

void PodWorker::wake_probes() {
  for (const auto& run : probes_) {
    run->outdated = true;
    if (std::exchange(run->resting, false)) arm_next(*run);
  }
}

void PodWorker::ask_probe(ProbeRun& run) {
  const auto& record = state_.containers[run.container];
  const Value* container = find_container(run.container);
  // Readiness and liveness wait for the startup probe; a probe's next question waits for its answer.
  if (!container || run.asking || !state_.sandbox || (run.kind != ProbeKind::kStartup && !record.started)) {
    arm_probe(run, run.probe.period());
    return;
  }
  if (run.kind == ProbeKind::kStartup && record.started) return;
  run.asking = true;
  run.outdated = false;
  run.asked_at = context_.executor.now();
  const auto answer = [this, weak = run.weak_from_this()](const Result<ProbeFinding>& finding) {
    const auto asked = weak.lock();
    if (!asked) return;
    asked->asking = false;
    on_probe(asked, finding);
  };
  const auto found = [answer](const Status& status) { answer(status.ok() ? ProbeFinding{} : ProbeFinding{status.error().message}); };
  const Value& spec = run.probe.spec();
  if (const Value& http = spec[keys::kHttpGet]; http.has_value()) {
    auto request = http_request(http, *container);
    if (!request) return answer(request.error());
    const auto answered = [this, weak = run.weak_from_this(), answer](const Result<HttpAnswer>& got) {
      if (!got) return answer(ProbeFinding{got.error().message});
      if (got->status < 200 || got->status >= 400) return answer(ProbeFinding{cat("HTTP probe failed with statuscode: ", got->status)});
      const auto asked = weak.lock();
      if (asked && got->status >= 300) on_probe_warning(*asked, cat("Probe terminated redirects, Response body: ", got->body));
      answer(ProbeFinding{});
    };
    context_.runtime.http_get(state_.sandbox->id, *std::move(request), run.probe.timeout(), answered);
  } else if (const Value& tcp = spec[keys::kTcpSocket]; tcp.has_value()) {
    const auto port = port_of(tcp[keys::kPort], *container);
    if (!port) return answer(port.error());
    context_.runtime.tcp_connect(state_.sandbox->id, tcp[keys::kHost].string(), *port, run.probe.timeout(),
                                 [found](const Result<Unit>& result) { found(result ? Status() : Status(result.error())); });
  } else if (const Value& command = spec[keys::kExec][keys::kCommand]; !command.empty()) {
    std::vector<std::string> words;
    for (const auto& word : command.items()) words.push_back(word.string());
    context_.runtime.exec_sync(run.container_id, std::move(words), run.probe.timeout(), [answer](const Result<ExecResult>& result) {
      // A command that takes too long has failed; one that could not be run says nothing of its container.
      if (!result && result.error().code == ErrorCode::kTimeout) return answer(ProbeFinding{result.error().message});
      if (!result) return answer(result.error());
      answer(result->exit_code == 0 ? ProbeFinding{} : ProbeFinding{cat(result->out, result->err)});
    });
  } else if (const Value& grpc = spec[keys::kGrpc]; grpc.has_value()) {
    GrpcProbe request{static_cast<int>(grpc[keys::kPort].as_int()), grpc[keys::kService].string()};
    context_.runtime.grpc_check(state_.sandbox->id, std::move(request), run.probe.timeout(),
                                [found](const Result<Unit>& result) { found(result ? Status() : Status(result.error())); });
  } else {
    answer(Error(ErrorCode::kBadRequest, "missing probe handler"));  // one that validation did not see
  }
}

void PodWorker::on_probe_warning(const ProbeRun& run, const std::string& warning) {
  const Value* container = find_container(run.container);
  event("Warning", "ProbeWarning", cat(title_of(run.kind), " probe warning: ", warning), container ? *container : Value());
}

// What could not be asked changes nothing: neither what is known of the container nor how often in a row it was so.
void PodWorker::on_probe(const std::shared_ptr<ProbeRun>& run, const Result<ProbeFinding>& finding) {
  const std::string& name = run->container;
  auto& record = state_.containers[name];
  const Value* container = find_container(name);
  const auto say = [&](std::string message) { event("Warning", "Unhealthy", std::move(message), container ? *container : Value()); };
  if (!finding) {
    say(cat(title_of(run->kind), " probe errored and resulted in unknown state: ", finding.error().message));
    return arm_next(*run);
  }
  const auto& failure = finding->failure;
  if (failure) say(cat(title_of(run->kind), " probe failed: ", *failure));
  const auto verdict = run->probe.observe(!failure);
  run->resting = !failure && !run->outdated && run->probe.verdict() == Probe::Verdict::kSuccess && state_.sandbox &&
                 context_.runtime.probes_settled(state_.sandbox->id);
  if (!run->resting) arm_next(*run);
  if (!verdict) return;
  const bool good = *verdict == Probe::Verdict::kSuccess;
  if (run->kind == ProbeKind::kReadiness) {
    record.ready = good && record.running();
    write_status();
    return;
  }
  if (good) {
    if (run->kind == ProbeKind::kStartup) {
      ProbeRun* readiness = find_probe(name, ProbeKind::kReadiness);
      record.started = true;
      record.ready = !readiness;
      context_.executor.cancel(run->timer);
      run->resting = false;
      if (readiness) arm_probe(*readiness, Duration{});
      sync();
    }
    return;
  }
  // Startup and liveness failures end the container; its restart policy decides what follows.
  const int64_t grace = run->probe.spec()[keys::kTerminationGracePeriodSeconds].as_int(
      pod_[keys::kSpec][keys::kTerminationGracePeriodSeconds].as_int(30));
  const std::string why = cat("Container ", name, " failed ",
                              run->kind == ProbeKind::kStartup ? "startup" : "liveness", " probe, will be restarted");
  stop_probes(name);
  if (record.running()) stop_one(name, seconds(grace), why, [] {});
}

}  // namespace minik::control
