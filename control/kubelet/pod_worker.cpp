#include "control/kubelet/pod_worker.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kBackOffFirst = seconds(10);
constexpr Duration kBackOffLast = minutes(5);
constexpr Duration kBackOffReset = minutes(10);
constexpr Duration kRetry = seconds(2);

Duration doubled(Duration back_off) {
  return back_off.ns == 0 ? kBackOffFirst : std::min(back_off * 2, kBackOffLast);
}

std::string pod_text(const Value& pod) {
  return cat(object_name(pod), "_", object_namespace(pod), "(", object_uid(pod), ")");
}

}  // namespace

PodWorker::PodWorker(KubeletContext& context, Value pod)
    : context_(context),
      pod_(std::move(pod)),
      wake_(context.executor),
      deadline_(context.executor),
      alive_(std::make_shared<bool>(true)) {
  written_status_ = pod_[keys::kStatus];
  // A node agent that starts again shows what the API already knows.
  state_.start_time = parse_time(pod_[keys::kStatus][keys::kStartTime].as_string());
  for (const auto& list : {keys::kContainerStatuses, keys::kInitContainerStatuses}) {
    for (const auto& status : pod_[keys::kStatus][list].items()) {
      auto& record = state_.containers[status[keys::kName].string()];
      record.restart_count = status[keys::kRestartCount].as_int();
    }
  }
}

PodWorker::~PodWorker() {
  *alive_ = false;
  for (auto& [key, run] : probes_) context_.executor.cancel(run.timer);
}

template <typename T>
std::function<void(Result<T>)> PodWorker::step(std::function<void(Result<T>)> then) {
  busy_ = true;
  return [this, alive = alive_, then = std::move(then)](Result<T> result) {
    if (!*alive) return;
    busy_ = false;
    then(std::move(result));
    if (*alive) sync();
  };
}

void PodWorker::update(Value pod) {
  pod_ = std::move(pod);
  sync();
}

void PodWorker::forget_pod() {
  gone_ = true;
  sync();
}

void PodWorker::adopt_sandbox(PodSandboxStatus sandbox) {
  if (state_.sandbox && state_.sandbox->attempt > sandbox.attempt) return;
  sandbox_attempt_ = std::max(sandbox_attempt_, sandbox.attempt + 1);
  state_.sandbox = std::move(sandbox);
}

void PodWorker::adopt_container(ContainerStatus container) {
  auto& record = state_.containers[container.name];
  const bool newer = !record.current || record.current->attempt < container.attempt;
  if (!newer) {
    if (!record.last || record.last->attempt < container.attempt) record.last = std::move(container);
    return;
  }
  if (record.current) record.last = std::move(record.current);
  record.restart_count = std::max(record.restart_count, static_cast<int64_t>(container.attempt));
  record.current = std::move(container);
  record.waiting_reason.clear();
  record.last_start = context_.executor.now();
  const Value* spec = find_container(record.current->name);
  if (!spec) return;
  if (!record.running()) return;
  record.started = !(*spec)[keys::kStartupProbe].has_value();
  record.ready = record.started && !(*spec)[keys::kReadinessProbe].has_value();
  // Ready as it was reported until a probe says otherwise: adoption must not make a pod flap.
  for (const auto& status : pod_[keys::kStatus][keys::kContainerStatuses].items()) {
    if (status[keys::kName].as_string() == record.current->name) {
      record.ready = status[keys::kReady].as_bool();
      record.started = status[keys::kStarted].as_bool();
    }
  }
  start_probes(*spec, record.current->id);
}

const Value* PodWorker::find_container(std::string_view name) const {
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& container : pod_[keys::kSpec][list].items()) {
      if (container[keys::kName].as_string() == name) return &container;
    }
  }
  return nullptr;
}

std::vector<std::string> PodWorker::pod_ips() const {
  if (state_.sandbox && !state_.sandbox->ips.empty()) return state_.sandbox->ips;
  return pod_[keys::kSpec][keys::kHostNetwork].as_bool() ? context_.host_ips : std::vector<std::string>{};
}

PodSurroundings PodWorker::surroundings() const {
  PodSurroundings around;
  around.config_maps = config_maps_;
  around.secrets = secrets_;
  around.services = context_.services(object_namespace(pod_));
  around.cluster_domain = context_.cluster_domain;
  around.dns_address = context_.dns_address;
  around.node_name = context_.node_name;
  around.host_ips = context_.host_ips;
  around.node_allocatable = context_.node_allocatable;
  around.host_dns_servers = context_.host_dns_servers;
  around.host_dns_searches = context_.host_dns_searches;
  return around;
}

void PodWorker::later(Duration delay) {
  wake_.arm(delay, [this] { sync(); });
}

void PodWorker::event(std::string type, std::string reason, std::string message, const Value& container) {
  Value reference = Value::map({{keys::kKind, "Pod"},
                                {keys::kApiVersion, "v1"},
                                {keys::kNamespace, pod_[keys::kMetadata][keys::kNamespace]},
                                {keys::kName, pod_[keys::kMetadata][keys::kName]},
                                {keys::kUid, pod_[keys::kMetadata][keys::kUid]},
                                {keys::kResourceVersion, pod_[keys::kMetadata][keys::kResourceVersion]}});
  if (container.has_value()) {
    reference = reference.with(keys::kFieldPath,
                               cat("spec.containers{", container[keys::kName].as_string(), "}"));
  }
  context_.events.record({std::move(reference), std::move(type), std::move(reason), std::move(message)});
}

void PodWorker::sync() {
  if (busy_) return;
  if (gone_ || is_deleting(pod_) || terminating_) {
    terminate();
    return;
  }
  if (state_.terminal) {
    write_status();
    return;
  }
  check_deadline();
  if (terminating_) return;
  if (!prepare() && !run_init_containers() && is_initialized(pod_[keys::kSpec], state_)) run_containers();
  write_status();
}

bool PodWorker::prepare() {
  if (!state_.start_time) state_.start_time = context_.executor.wall_now();
  return fetch_references() || run_sandbox() || fetch_tokens() || write_volumes();
}

void PodWorker::check_deadline() {
  const Value& limit = pod_[keys::kSpec][keys::kActiveDeadlineSeconds];
  if (!limit.is_int() || !state_.start_time) return;
  const Duration left = *state_.start_time + seconds(limit.as_int()) - context_.executor.wall_now();
  if (left > Duration{}) {
    if (!deadline_.armed()) deadline_.arm(left, [this] { sync(); });
    return;
  }
  state_.failed_reason = "DeadlineExceeded";
  state_.failed_message = "Pod was active on the node longer than the specified deadline";
  terminating_ = true;
  terminate();
}

bool PodWorker::fetch_references() {
  if (references_fetched_) return false;
  const auto wanted = references_of(pod_[keys::kSpec]);
  const auto get = [&](KindId kind, const std::string& name, std::map<std::string, Value>& into) {
    ApiRequest request;
    request.verb = Verb::kGet;
    request.kind = kind;
    request.namespace_ = object_namespace(pod_);
    request.name = name;
    context_.client.send(std::move(request), step<ApiResponse>([name, &into](Result<ApiResponse> response) {
      into[name] = response ? response->object : Value();
    }));
  };
  for (const auto& name : wanted.config_maps) {
    if (!config_maps_.contains(name)) {
      get(kinds::kConfigmaps, name, config_maps_);
      return true;
    }
  }
  for (const auto& name : wanted.secrets) {
    if (!secrets_.contains(name)) {
      get(kinds::kSecrets, name, secrets_);
      return true;
    }
  }
  references_fetched_ = true;
  return false;
}

bool PodWorker::run_sandbox() {
  if (state_.sandbox && state_.sandbox->ready) return false;
  if (wake_.armed()) return true;
  auto config = make_sandbox_config(pod_, surroundings(), sandbox_attempt_++);
  context_.runtime.run_pod_sandbox(
      std::move(config), step<PodSandboxStatus>([this](Result<PodSandboxStatus> result) {
        if (result) {
          state_.sandbox = *std::move(result);
          return;
        }
        event("Warning", "FailedCreatePodSandBox",
              cat("Failed to create pod sandbox: ", result.error().message));
        later(kRetry);
      }));
  return true;
}

bool PodWorker::fetch_tokens() {
  if (volumes_written_) return false;
  for (const auto& need : tokens_needed(pod_[keys::kSpec])) {
    if (tokens_.contains({need.volume, need.path})) continue;
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kinds::kServiceaccounts;
    request.namespace_ = object_namespace(pod_);
    request.name = pod_[keys::kSpec][keys::kServiceAccountName].string();
    request.subresource = "token";
    const Value bound = Value::map({{keys::kApiVersion, "v1"},
                                    {keys::kKind, "Pod"},
                                    {keys::kName, pod_[keys::kMetadata][keys::kName]},
                                    {keys::kUid, pod_[keys::kMetadata][keys::kUid]}});
    request.body = Value::map(
        {{keys::kSpec,
          Value::map({{keys::kAudiences, need.audience.empty() ? Value() : Value::array({Value(need.audience)})},
                      {keys::kExpirationSeconds, need.expiration_seconds},
                      {keys::kBoundObjectRef, bound}})}});
    context_.client.send(std::move(request), step<ApiResponse>([this, need](Result<ApiResponse> response) {
      if (response) {
        tokens_[{need.volume, need.path}] = response->object[keys::kStatus][keys::kToken].string();
        return;
      }
      event("Warning", "FailedMount", cat("MountVolume.SetUp failed for volume ", quoted(need.volume),
                                          ": failed to fetch token: ", response.error().message));
      later(kRetry);
    }));
    return true;
  }
  return false;
}

bool PodWorker::write_volumes() {
  if (volumes_written_) return false;
  if (wake_.armed()) return true;
  const std::string root = context_.runtime.pod_volume_root(std::string(object_uid(pod_)));
  auto contents = volume_contents(pod_, surroundings(), tokens_, root, pod_ips());
  if (!contents) {
    event("Warning", "FailedMount", contents.error().message);
    references_fetched_ = false;  // what was missing may be there next time
    config_maps_.clear();
    secrets_.clear();
    later(kRetry);
    return true;
  }
  auto left = std::make_shared<size_t>(contents->size());
  if (*left == 0) {
    volumes_written_ = true;
    return false;
  }
  busy_ = true;
  const auto& fs_group = pod_[keys::kSpec][keys::kSecurityContext][keys::kFsGroup];
  for (auto& content : *contents) {
    context_.runtime.write_volume(
        content.directory, std::move(content.files),
        fs_group.is_int() ? std::optional(fs_group.as_int()) : std::nullopt,
        [this, alive = alive_, left](Result<Unit> result) {
          if (!*alive) return;
          if (!result) event("Warning", "FailedMount", result.error().message);
          if (--*left > 0) return;
          busy_ = false;
          volumes_written_ = true;
          sync();
        });
  }
  return true;
}

bool PodWorker::wants_restart(const Value& container, const ContainerRecord& record, bool init) const {
  if (is_sidecar(container)) return true;
  const auto policy = pod_[keys::kSpec][keys::kRestartPolicy].as_string("Always");
  const bool failed = record.current->exit_code != 0;
  if (init) return failed && policy != "Never";
  return policy == "Always" || (policy == "OnFailure" && failed);
}

// Starts the container now, or sees to it that sync() comes back when its back-off is over. True when a
// step was begun.
bool PodWorker::restart_or_wait(const Value& container, bool init) {
  auto& record = state_.containers[container[keys::kName].string()];
  const Instant now = context_.executor.now();
  if (record.exited()) {
    if (!wants_restart(container, record, init)) return false;
    if (record.waiting_reason.empty()) {
      if (now - record.last_start > kBackOffReset) record.back_off = {};
      // The first restart is at once, the next ones wait.
      record.next_start = record.restart_count == 0 ? now : now + record.back_off;
      record.waiting_reason = "CrashLoopBackOff";
      if (record.back_off.ns == 0) record.back_off = kBackOffFirst;
      if (record.next_start > now) {
        record.waiting_message = cat("back-off ", format_duration(record.back_off),
                                     " restarting failed container=", container[keys::kName].as_string(),
                                     " pod=", pod_text(pod_));
        event("Warning", "BackOff",
              cat("Back-off restarting failed container ", container[keys::kName].as_string(), " in pod ",
                  pod_text(pod_)),
              container);
      }
    }
  }
  if (record.next_start > now) {
    later(record.next_start - now);
    return false;
  }
  if (record.exited()) record.back_off = record.restart_count == 0 ? kBackOffFirst : doubled(record.back_off);
  start_container(container);
  return true;
}

bool PodWorker::run_init_containers() {
  for (const auto& container : pod_[keys::kSpec][keys::kInitContainers].items()) {
    auto& record = state_.containers[container[keys::kName].string()];
    if (is_sidecar(container)) {
      if (!record.running()) return restart_or_wait(container, true);
      if (!record.started) return true;
      continue;
    }
    if (record.running()) return true;
    if (record.exited() && record.current->exit_code == 0) continue;
    if (record.exited() && !wants_restart(container, record, true)) {
      terminating_ = true;  // an init container has failed for good
      terminate();
      return true;
    }
    restart_or_wait(container, true);
    return true;
  }
  return false;
}

bool PodWorker::run_containers() {
  bool all_ended = true;
  for (const auto& container : pod_[keys::kSpec][keys::kContainers].items()) {
    auto& record = state_.containers[container[keys::kName].string()];
    if (record.running()) {
      all_ended = false;
      continue;
    }
    if (record.exited() && !wants_restart(container, record, false)) continue;
    all_ended = false;
    if (restart_or_wait(container, false)) return true;
  }
  if (all_ended && !terminating_) {
    state_.terminal = true;
    terminating_ = true;
    terminate();
    return true;
  }
  return false;
}

void PodWorker::start_container(const Value& container) {
  const std::string reference = container[keys::kImage].string();
  const auto policy = container[keys::kImagePullPolicy].as_string("IfNotPresent");
  if (policy == "Always") {
    pull_then_create(container, reference);
    return;
  }
  context_.runtime.find_image(
      reference, step<ImageStatus>([this, container, reference, never = policy == "Never"](Result<ImageStatus> found) {
        if (found) {
          event("Normal", "Pulled",
                cat("Container image ", quoted(reference), " already present on machine"), container);
          create_container(container, *found);
        } else if (never) {
          start_failed(container, "ErrImageNeverPull",
                       Error(ErrorCode::kNotFound, cat("Container image ", quoted(reference),
                                                       " is not present with pull policy of Never")),
                       kBackOffFirst);
        } else {
          pull_then_create(container, reference);
        }
      }));
}

void PodWorker::pull_then_create(const Value& container, const std::string& reference) {
  event("Normal", "Pulling", cat("Pulling image ", quoted(reference)), container);
  const Instant begun = context_.executor.now();
  context_.runtime.pull_image(
      reference, std::nullopt, step<ImageStatus>([this, container, reference, begun](Result<ImageStatus> pulled) {
        if (pulled) {
          const Duration took = context_.executor.now() - begun;
          event("Normal", "Pulled",
                cat("Successfully pulled image ", quoted(reference), " in ",
                    format_duration(milliseconds(took.milliseconds())), ". Image size: ", pulled->size_bytes, " bytes."),
                container);
          create_container(container, *pulled);
          return;
        }
        event("Warning", "Failed",
              cat("Failed to pull image ", quoted(reference), ": ", pulled.error().message), container);
        event("Warning", "Failed", "Error: ErrImagePull", container);
        start_failed(container, "ErrImagePull", pulled.error(), kBackOffFirst);
      }));
}

// The container did not start: it waits with a reason, which turns into a back-off's while it lasts.
void PodWorker::start_failed(const Value& container, std::string_view reason, const Error& error, Duration first) {
  auto& record = state_.containers[container[keys::kName].string()];
  record.back_off = record.back_off.ns == 0 ? first : std::min(record.back_off * 2, kBackOffLast);
  record.next_start = context_.executor.now() + record.back_off;
  record.waiting_reason = reason;
  record.waiting_message = error.message;
  if (reason != "ErrImagePull") event("Warning", "Failed", cat("Error: ", error.message), container);
  write_status();
  if (reason == "ErrImagePull") {
    record.waiting_reason = "ImagePullBackOff";
    record.waiting_message = cat("Back-off pulling image ", quoted(container[keys::kImage].as_string()), ": ",
                                 error.message);
    event("Normal", "BackOff", cat("Back-off pulling image ", quoted(container[keys::kImage].as_string())), container);
  }
  later(record.back_off);
}

void PodWorker::create_container(const Value& container, const ImageStatus& image) {
  const auto around = surroundings();
  const std::string name = container[keys::kName].string();
  auto& record = state_.containers[name];
  const auto refuse = [&](const Error& error) {
    references_fetched_ = false;
    config_maps_.clear();
    secrets_.clear();
    start_failed(container, "CreateContainerConfigError", error, kRetry);
  };
  auto env = make_environment(pod_, container, around, pod_ips());
  if (!env) return refuse(env.error());
  const std::string uid(object_uid(pod_));
  auto mounts = container_mounts(pod_, container, context_.runtime.pod_volume_root(uid), *env);
  if (!mounts) return refuse(mounts.error());
  ContainerConfig config;
  config.name = name;
  config.attempt = static_cast<uint32_t>(record.current ? record.restart_count + 1 : record.restart_count);
  config.image = image.id;
  for (const auto& word : container[keys::kCommand].items()) {
    config.command.push_back(expand_variables(word.as_string(), *env));
  }
  for (const auto& word : container[keys::kArgs].items()) {
    config.args.push_back(expand_variables(word.as_string(), *env));
  }
  config.working_dir = container[keys::kWorkingDir].string();
  config.env = *std::move(env);
  config.mounts = *std::move(mounts);
  config.security = make_security(pod_[keys::kSpec], container);
  if (config.security.run_as_non_root && !config.security.run_as_user && (image.user.empty() || image.user == "0" || image.user == "root")) {
    return refuse(Error(ErrorCode::kBadRequest, "container has runAsNonRoot and image will run as root"));
  }
  config.resources = make_resources(pod_[keys::kSpec], container, context_.node_memory_bytes);
  config.stdin_open = container[keys::kStdin].as_bool();
  config.stdin_once = container[keys::kStdinOnce].as_bool();
  config.tty = container[keys::kTty].as_bool();
  config.log_path = cat(context_.runtime.pod_log_directory(std::string(object_namespace(pod_)),
                                                           std::string(object_name(pod_)), uid),
                        "/", name, "/", config.attempt, ".log");
  config.termination_message_path = container[keys::kTerminationMessagePath].string();
  config.labels = {{"io.kubernetes.container.name", name},
                   {"io.kubernetes.pod.uid", uid},
                   {"io.kubernetes.container.image", container[keys::kImage].string()}};
  const uint32_t attempt = config.attempt;
  context_.runtime.create_container(
      state_.sandbox->id, std::move(config), step<std::string>([this, container, attempt](Result<std::string> id) {
        if (!id) {
          start_failed(container, "CreateContainerError", id.error(), kBackOffFirst);
          return;
        }
        event("Normal", "Created", cat("Created container: ", container[keys::kName].as_string()), container);
        context_.runtime.start_container(
            *id, step<ContainerStatus>([this, container, attempt, id = *id](Result<ContainerStatus> started) {
              if (started) {
                on_started(container, *started);
                return;
              }
              // A program that cannot be run is a container that ended with 128, as CRI runtimes say.
              auto& r = state_.containers[container[keys::kName].string()];
              keep_as_last(r);
              r.last_start = context_.executor.now();
              ContainerStatus failed;
              failed.id = id;
              failed.name = container[keys::kName].string();
              failed.attempt = attempt;
              failed.state = ContainerState::kExited;
              failed.exit_code = 128;
              failed.reason = "StartError";
              failed.message = started.error().message;
              failed.finished = context_.executor.wall_now();
              failed.image = container[keys::kImage].string();
              r.current = std::move(failed);
              r.waiting_reason.clear();
              r.restart_count = attempt;
              event("Warning", "Failed", cat("Error: ", started.error().message), container);
            }));
      }));
}

// The newest container becomes the one before it, whose place a new one takes.
void PodWorker::keep_as_last(ContainerRecord& record) {
  if (!record.current) return;
  if (record.last) context_.runtime.remove_container(record.last->id, [](const Result<Unit>&) {});
  record.last = std::move(record.current);
}

void PodWorker::on_started(const Value& container, const ContainerStatus& status) {
  const std::string name = container[keys::kName].string();
  auto& record = state_.containers[name];
  keep_as_last(record);
  record.current = status;
  record.current->name = name;
  if (record.current->image.empty()) record.current->image = container[keys::kImage].string();
  record.restart_count = status.attempt;
  record.waiting_reason.clear();
  record.waiting_message.clear();
  record.last_start = context_.executor.now();
  record.started = !container[keys::kStartupProbe].has_value();
  record.ready = record.started && !container[keys::kReadinessProbe].has_value();
  event("Normal", "Started", cat("Started container ", name), container);
  start_probes(container, status.id);
  run_post_start(container, status.id);
}

void PodWorker::run_post_start(const Value& container, const std::string& id) {
  const Value& hook = container[keys::kLifecycle][keys::kPostStart];
  const Value& command = hook[keys::kExec][keys::kCommand];
  if (command.empty()) return;
  std::vector<std::string> words;
  for (const auto& word : command.items()) words.push_back(word.string());
  context_.runtime.exec_sync(id, std::move(words), minutes(2), step<ExecResult>([this, container](Result<ExecResult> result) {
    if (result && result->exit_code == 0) return;
    const std::string why = result ? cat("command exited with ", result->exit_code) : result.error().message;
    event("Warning", "FailedPostStartHook", cat("PostStartHook failed: ", why), container);
    stop_one(container[keys::kName].string(), seconds(30), "FailedPostStartHook", [] {});
  }));
}

void PodWorker::on_container_event(const std::string& id) { refresh_container(id); }

void PodWorker::refresh_container(const std::string& id) {
  context_.runtime.container_status(id, [this, alive = alive_, id](Result<ContainerStatus> status) {
    if (!*alive || !status || status->state != ContainerState::kExited) return;
    for (auto& [name, record] : state_.containers) {
      if (!record.current || record.current->id != id || record.exited()) continue;
      const std::string image = record.current->image;
      record.current = *status;
      record.current->name = name;
      if (record.current->image.empty()) record.current->image = image;
      on_exited(name);
      sync();
      return;
    }
  });
}

void PodWorker::on_exited(const std::string& name) {
  auto& record = state_.containers[name];
  record.started = record.ready = false;
  stop_probes(name);
}

// --- the end ---

void PodWorker::terminate() {
  if (busy_ || removed_) {
    if (removed_) finish_deletion();
    return;
  }
  terminating_ = true;
  for (auto& [key, run] : probes_) context_.executor.cancel(run.timer);
  probes_.clear();
  const Value& spec = pod_[keys::kSpec];
  int64_t grace = spec[keys::kTerminationGracePeriodSeconds].as_int(30);
  if (is_deleting(pod_)) grace = pod_[keys::kMetadata][keys::kDeletionGracePeriodSeconds].as_int(grace);
  busy_ = true;
  stop_containers(seconds(gone_ ? std::min<int64_t>(grace, 2) : grace), [this] {
    for (auto& [name, record] : state_.containers) record.ready = record.started = false;
    remove_everything();
  });
}

void PodWorker::stop_containers(Duration grace, std::function<void()> then) {
  auto left = std::make_shared<size_t>(1);
  auto done = std::make_shared<std::function<void()>>(std::move(then));
  const auto one_less = [left, done] {
    if (--*left == 0) (*done)();
  };
  for (auto& [name, record] : state_.containers) {
    if (!record.running()) continue;
    ++*left;
    stop_one(name, grace, "Stopping container ", one_less);
  }
  one_less();
}

void PodWorker::stop_one(const std::string& name, Duration grace, const std::string& why,
                         std::function<void()> then) {
  auto& record = state_.containers[name];
  const std::string id = record.current->id;
  const Value* container = find_container(name);
  event("Normal", "Killing", why == "Stopping container " ? cat(why, name) : why, container ? *container : Value());
  const auto stop = [this, alive = alive_, id, name, then](Duration left) {
    context_.runtime.stop_container(id, left, [this, alive, id, name, then](const Result<Unit>&) {
      if (!*alive) return;
      context_.runtime.container_status(id, [this, alive, name, then](Result<ContainerStatus> status) {
        if (!*alive) return;
        auto& r = state_.containers[name];
        if (status && r.current && r.current->id == status->id) {
          const std::string image = r.current->image;
          r.current = *status;
          r.current->name = name;
          if (r.current->image.empty()) r.current->image = image;
          on_exited(name);
        }
        then();
        sync();
      });
    });
  };
  const Value* hook = container ? &(*container)[keys::kLifecycle][keys::kPreStop] : &Value::absent();
  const Value& command = (*hook)[keys::kExec][keys::kCommand];
  const int64_t sleep_seconds = (*hook)[keys::kSleep][keys::kSeconds].as_int();
  if (grace > Duration{} && !command.empty()) {
    std::vector<std::string> words;
    for (const auto& word : command.items()) words.push_back(word.string());
    const Instant begun = context_.executor.now();
    context_.runtime.exec_sync(id, std::move(words), grace, [this, alive = alive_, stop, begun, grace](Result<ExecResult>) {
      if (!*alive) return;
      const Duration left = grace - (context_.executor.now() - begun);
      stop(std::max(left, seconds(2)));
    });
  } else if (grace > Duration{} && sleep_seconds > 0) {
    const Duration pause = std::min(grace, seconds(sleep_seconds));
    context_.executor.after(pause, [alive = alive_, stop, grace, pause] {
      if (*alive) stop(std::max(grace - pause, seconds(2)));
    });
  } else {
    stop(grace);
  }
}

void PodWorker::remove_everything() {
  const bool keep = !gone_ && !is_deleting(pod_);  // ended pods keep their containers for their logs
  auto then = [this, alive = alive_, keep](const Result<Unit>&) {
    if (!*alive) return;
    if (state_.sandbox) state_.sandbox->ready = false;
    if (keep) {
      busy_ = false;
      state_.terminal = true;
      write_status();
      return;
    }
    // The final status is written before the containers go: their exit codes are in it.
    const std::string sandbox = state_.sandbox ? state_.sandbox->id : std::string();
    const auto cleaned = [this, alive](const Result<Unit>&) {
      if (!*alive) return;
      context_.runtime.remove_pod_directories(std::string(object_uid(pod_)), [this, alive](const Result<Unit>&) {
        if (!*alive) return;
        busy_ = false;
        removed_ = true;
        finish_deletion();
      });
    };
    if (sandbox.empty()) {
      cleaned(Unit{});
    } else {
      context_.runtime.remove_pod_sandbox(sandbox, cleaned);
    }
  };
  if (state_.sandbox) {
    context_.runtime.stop_pod_sandbox(state_.sandbox->id, then);
  } else {
    then(Unit{});
  }
}

void PodWorker::finish_deletion() {
  if (gone_) {
    const auto done = context_.worker_done;
    done(std::string(object_uid(pod_)));  // destroys this worker
    return;
  }
  if (deleting_in_api_ || status_in_flight_) return;
  state_.terminal = true;
  write_status();
  if (status_in_flight_) return;  // comes back when the status is written
  deleting_in_api_ = true;
  ApiRequest request;
  request.verb = Verb::kDelete;
  request.kind = kinds::kPods;
  request.namespace_ = object_namespace(pod_);
  request.name = object_name(pod_);
  request.options.grace_period_seconds = 0;
  request.options.preconditions.uid = object_uid(pod_);
  context_.client.send(std::move(request), [this, alive = alive_](const Result<ApiResponse>& result) {
    if (!*alive) return;
    deleting_in_api_ = false;
    if (result || result.error().code == ErrorCode::kNotFound || result.error().code == ErrorCode::kConflict) {
      if (!result) gone_ = true;
      if (gone_) finish_deletion();
      return;  // else the watch tells that it is gone
    }
    later(kRetry);
  });
}

// --- status ---

void PodWorker::write_status() {
  if (status_in_flight_ || gone_) return;
  const Value status = make_pod_status(pod_.with(keys::kStatus, written_status_.has_value() ? written_status_ : pod_[keys::kStatus]),
                                       state_, context_.host_ips, context_.executor.wall_now());
  if (status == written_status_) return;
  status_in_flight_ = true;
  ApiRequest request;
  request.verb = Verb::kUpdate;
  request.kind = kinds::kPods;
  request.namespace_ = object_namespace(pod_);
  request.name = object_name(pod_);
  request.subresource = "status";
  // Unconditional: the status is this node's word, whatever else changes about the pod meanwhile.
  request.body = pod_.with(keys::kStatus, status)
                     .with(keys::kMetadata, pod_[keys::kMetadata].without(keys::kResourceVersion));
  context_.client.send(std::move(request), [this, alive = alive_, status](const Result<ApiResponse>& result) {
    if (!*alive) return;
    status_in_flight_ = false;
    if (result) {
      written_status_ = status;
      sync();
    } else if (result.error().code == ErrorCode::kNotFound || result.error().code == ErrorCode::kConflict) {
      gone_ = true;
      sync();
    } else {
      later(kRetry);
    }
  });
}

}  // namespace minik::control
