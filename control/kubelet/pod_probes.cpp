// The probing half of PodWorker: when to ask, how, and what an answer does to the container.
#include <algorithm>

#include "control/base/text.h"
#include "control/kubelet/pod_worker.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

int port_of(const Value& port, const Value& container) {
  if (port.is_int()) return static_cast<int>(port.as_int());
  for (const auto& p : container[keys::kPorts].items()) {
    if (p[keys::kName] == port) return static_cast<int>(p[keys::kContainerPort].as_int());
  }
  return static_cast<int>(parse_int64(port.as_string()).value_or(0));
}

}  // namespace

void PodWorker::start_probes(const Value& container, const std::string& id) {
  const std::string name = container[keys::kName].string();
  stop_probes(name);
  for (const auto& [kind, key] : {std::pair{"startup", keys::kStartupProbe},
                                  std::pair{"readiness", keys::kReadinessProbe},
                                  std::pair{"liveness", keys::kLivenessProbe}}) {
    const Value& spec = container[key];
    if (!spec.has_value()) continue;
    const std::string probe_key = cat(name, "/", kind);
    ProbeRun run{id, kind, Probe(spec), false, {}};
    const Duration first = run.probe.initial_delay();
    probes_.emplace(probe_key, std::move(run));
    arm_probe(probe_key, first);
  }
}

void PodWorker::stop_probes(const std::string& name) {
  for (auto run = probes_.begin(); run != probes_.end();) {
    if (!run->first.starts_with(cat(name, "/"))) {
      ++run;
      continue;
    }
    context_.executor.cancel(run->second.timer);
    run = probes_.erase(run);
  }
}

void PodWorker::arm_probe(const std::string& key, Duration delay) {
  auto& run = probes_.at(key);
  context_.executor.cancel(run.timer);
  run.timer = context_.executor.after(delay, [this, key] { ask_probe(key); });
}

void PodWorker::ask_probe(const std::string& key) {
  auto& run = probes_.at(key);
  const std::string name = key.substr(0, key.rfind('/'));
  const auto& record = state_.containers[name];
  const Value* container = find_container(name);
  // Readiness and liveness wait for the startup probe; a probe's next question waits for its answer.
  if (!container || run.asking || !state_.sandbox || (run.kind != "startup" && !record.started)) {
    arm_probe(key, run.probe.period());
    return;
  }
  if (run.kind == "startup" && record.started) return;
  run.asking = true;
  const std::string id = run.container_id;
  const auto answer = [this, alive = alive_, key, id](bool success, const std::string& detail) {
    if (!*alive) return;
    const auto found = probes_.find(key);
    if (found == probes_.end() || found->second.container_id != id) return;
    found->second.asking = false;
    on_probe(key, success, detail);
  };
  const Value& spec = run.probe.spec();
  if (const Value& http = spec[keys::kHttpGet]; http.has_value()) {
    HttpProbe request;
    request.host = http[keys::kHost].string();
    request.port = port_of(http[keys::kPort], *container);
    request.path = http[keys::kPath].string();
    request.https = http[keys::kScheme].as_string() == "HTTPS";
    for (const auto& header : http[keys::kHttpHeaders].items()) {
      request.headers.push_back({header[keys::kName].string(), header[keys::kValue].string()});
    }
    context_.runtime.http_get(state_.sandbox->id, std::move(request), run.probe.timeout(), [answer](Result<int> status) {
      const bool good = status && *status >= 200 && *status < 400;
      answer(good, status ? cat("HTTP probe failed with statuscode: ", *status) : status.error().message);
    });
  } else if (const Value& tcp = spec[keys::kTcpSocket]; tcp.has_value()) {
    context_.runtime.tcp_connect(state_.sandbox->id, tcp[keys::kHost].string(), port_of(tcp[keys::kPort], *container),
                                 run.probe.timeout(), [answer](const Result<Unit>& result) {
                                   answer(result.ok(), result ? "" : result.error().message);
                                 });
  } else if (const Value& command = spec[keys::kExec][keys::kCommand]; !command.empty()) {
    std::vector<std::string> words;
    for (const auto& word : command.items()) words.push_back(word.string());
    context_.runtime.exec_sync(id, std::move(words), run.probe.timeout(), [answer](Result<ExecResult> result) {
      answer(result && result->exit_code == 0, result ? cat(result->out, result->err) : result.error().message);
    });
  } else {
    answer(false, "probes by gRPC are not there yet: use httpGet, tcpSocket or exec");
  }
}

void PodWorker::on_probe(const std::string& key, bool success, const std::string& detail) {
  auto& run = probes_.at(key);
  const std::string name = key.substr(0, key.rfind('/'));
  const std::string kind = run.kind;
  const Value* container = find_container(name);
  auto& record = state_.containers[name];
  if (!success) {
    std::string title = kind;
    title[0] = static_cast<char>(title[0] - 'a' + 'A');
    event("Warning", "Unhealthy", cat(title, " probe failed: ", detail), container ? *container : Value());
  }
  const auto verdict = run.probe.observe(success);
  arm_probe(key, run.probe.period());
  if (!verdict) return;
  const bool good = *verdict == Probe::Verdict::kSuccess;
  if (kind == "readiness") {
    record.ready = good && record.running();
    write_status();
    return;
  }
  if (good) {
    if (kind == "startup") {
      record.started = true;
      record.ready = !probes_.contains(cat(name, "/readiness"));
      context_.executor.cancel(run.timer);
      if (probes_.contains(cat(name, "/readiness"))) arm_probe(cat(name, "/readiness"), Duration{});
      sync();
    }
    return;
  }
  // Startup and liveness failures end the container; its restart policy decides what follows.
  const int64_t grace = run.probe.spec()[keys::kTerminationGracePeriodSeconds].as_int(
      pod_[keys::kSpec][keys::kTerminationGracePeriodSeconds].as_int(30));
  const std::string why = cat("Container ", name, " failed ", kind, " probe, will be restarted");
  stop_probes(name);
  if (record.running()) stop_one(name, seconds(grace), why, [] {});
}

}  // namespace minik::control
