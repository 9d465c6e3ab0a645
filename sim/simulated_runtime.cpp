#include "sim/simulated_runtime.h"

#include <algorithm>

#include "control/base/ipv4.h"
#include "control/base/text.h"

namespace minik::sim {

using control::ContainerConfig;
using control::ContainerState;
using control::ContainerStatus;
using control::ImageStatus;
using control::PodSandboxConfig;
using control::PodSandboxStatus;
using control::RuntimeEvent;

namespace {
constexpr int kKilled = 137, kTerminated = 143;
// Of a container that ended unseen, as containerd has it.
constexpr int kUnknownCode = 255;
constexpr std::string_view kUnknownReason = "Unknown";
// How often a container that grows or needs others is looked at.
constexpr Duration kContainerLookPeriod = seconds(2);

// Of "/pods/UID/volumes/NAME/…".
std::string volume_of(std::string_view path) {
  constexpr std::string_view kVolumes = "/volumes/";
  const size_t at = path.find(kVolumes);
  if (at == std::string_view::npos) return std::string(path);
  path.remove_prefix(at + kVolumes.size());
  return std::string(path.substr(0, path.find('/')));
}
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  const auto rest = pattern.substr(star + 1);
  text.remove_prefix(star);
  for (size_t skip = 0; skip <= text.size(); ++skip) {
    if (matches_pattern(rest, text.substr(skip))) return true;
  }
  return false;
}

SimulatedRuntime::SimulatedRuntime(Executor& executor, Rng rng, Surroundings& surroundings, std::string node_name,
                                   uint32_t pod_network)
    : executor_(executor),
      rng_(rng),
      surroundings_(surroundings),
      node_name_(std::move(node_name)),
      pod_network_(pod_network),
      alive_(std::make_shared<bool>(true)) {}

SimulatedRuntime::~SimulatedRuntime() {
  *alive_ = false;
  for (const auto& [id, container] : containers_) {
    if (container.status.state == ContainerState::kRunning) leave_load(container);
  }
}

void SimulatedRuntime::power_off() {
  *alive_ = false;
  alive_ = std::make_shared<bool>(true);
  listener_ = {};
  memory_used_listener_ = {};
  cpu_wanted_listener_ = {};
  for (const auto& [id, container] : containers_) end_container(id, kUnknownCode, kUnknownReason);
  for (auto& [id, sandbox] : sandboxes_) sandbox.status.ready = false;
  failing_probes_.clear();
  tokens_.clear();
  memory_watched_ = false;
  milli_cpu_wanted_ = 0;
}

ImageLoad* SimulatedRuntime::load_of(const Container& container) const {
  const auto at = container.behaviour - surroundings_.images.data();
  const bool known = at >= 0 && static_cast<size_t>(at) < surroundings_.loads.size();
  return known ? &surroundings_.loads[static_cast<size_t>(at)] : nullptr;
}

const ImageBehaviour& SimulatedRuntime::behaviour_of(std::string_view image) const {
  static const ImageBehaviour usual;
  const auto& images = surroundings_.images;
  const auto found = std::ranges::find_if(images, [&](const ImageBehaviour& b) { return matches_pattern(b.match, image); });
  return found == images.end() ? usual : *found;
}

bool SimulatedRuntime::lacks_what_it_needs(const Container& container) const {
  const ImageBehaviour& behaviour = *container.behaviour;
  const bool names = surroundings_.dns_answers && surroundings_.names_known;
  if (behaviour.needs_dns && !names) return true;
  if (behaviour.needs_api && !container.api_answers) return true;
  return !behaviour.needs_service.empty() && surroundings_.service_answers &&
         (!names || !surroundings_.service_answers(behaviour.needs_service));
}

// Again and again; one question of each kind at a time.
void SimulatedRuntime::ask_api(const std::string& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.status.state != ContainerState::kRunning) return;
  const ImageBehaviour& behaviour = *found->second.behaviour;
  const auto sandbox = sandboxes_.find(found->second.status.sandbox_id);
  const auto token = sandbox == sandboxes_.end() ? tokens_.end() : tokens_.find(sandbox->second.status.uid);
  const auto left = std::make_shared<size_t>(behaviour.lists.size());
  const auto answered = std::make_shared<bool>(true);
  for (const auto kind : behaviour.lists) {
    surroundings_.ask(node_name_, kind, token == tokens_.end() ? "" : token->second,
                      [this, alive = alive_, id, left, answered](const Status& status) {
                        if (!*alive) return;
                        *answered = *answered && status.ok();
                        if (--*left > 0) return;
                        const auto asked = containers_.find(id);
                        if (asked == containers_.end()) return;
                        asked->second.api_answers = *answered;
                        executor_.after(asked->second.behaviour->list_period, [this, alive, id] {
                          if (*alive) ask_api(id);
                        });
                      });
  }
}

Error SimulatedRuntime::disk_full_error(std::string_view what) const {
  return Error(ErrorCode::kInternalError, cat(what, ": no space left on device"));
}

void SimulatedRuntime::status(Done<Unit> done) { answer<Unit>(Duration{}, std::move(done), Unit{}); }

void SimulatedRuntime::run_pod_sandbox(PodSandboxConfig config, Done<PodSandboxStatus> done) {
  if (!disk_has_room()) {
    answer<PodSandboxStatus>(milliseconds(5), std::move(done), disk_full_error("failed to create the pod's sandbox"));
    return;
  }
  PodSandboxStatus sandbox;
  sandbox.id = cat(node_name_, "-s", next_id_++);
  sandbox.namespace_ = config.namespace_;
  sandbox.name = config.name;
  sandbox.uid = config.uid;
  sandbox.attempt = config.attempt;
  sandbox.ready = true;
  sandbox.created = executor_.wall_now();
  if (!config.host_network) {
    // A /24 of its own; addresses come back after a round.
    next_address_ = next_address_ % 253 + 2;
    sandbox.ips = {format_ipv4(pod_network_ + next_address_)};
  }
  sandboxes_.add(sandbox.id, {sandbox, {}});
  answer<PodSandboxStatus>(surroundings_.sandbox_time.draw(rng_) * disk_slowness_, std::move(done), std::move(sandbox));
}

void SimulatedRuntime::stop_pod_sandbox(const std::string& id, Done<Unit> done) {
  const auto found = sandboxes_.find(id);
  if (found != sandboxes_.end()) {
    found->second.status.ready = false;
    for (const auto* container : found->second.containers) exit_container(container->status.id, kKilled);
  }
  answer<Unit>(milliseconds(10), std::move(done), Unit{});
}

void SimulatedRuntime::remove_pod_sandbox(const std::string& id, Done<Unit> done) {
  const auto found = sandboxes_.find(id);
  if (found != sandboxes_.end()) {
    for (const auto* container : found->second.containers) forget_container(std::string(container->status.id));
    sandboxes_.erase(found);
  }
  answer<Unit>(milliseconds(5), std::move(done), Unit{});
}

void SimulatedRuntime::list_pod_sandboxes(Done<std::vector<PodSandboxStatus>> done) {
  std::vector<PodSandboxStatus> all;
  for (const auto& [id, sandbox] : sandboxes_) all.push_back(sandbox.status);
  answer<std::vector<PodSandboxStatus>>(Duration{}, std::move(done), std::move(all));
}

void SimulatedRuntime::create_container(const std::string& sandbox_id, ContainerConfig config,
                                        Done<std::string> done) {
  const auto sandbox = sandboxes_.find(sandbox_id);
  if (sandbox == sandboxes_.end()) {
    answer<std::string>(Duration{}, std::move(done), Error(ErrorCode::kNotFound, cat("no sandbox ", sandbox_id)));
    return;
  }
  if (!disk_has_room()) {
    answer<std::string>(milliseconds(2), std::move(done), disk_full_error("failed to create the container's root"));
    return;
  }
  Container container;
  container.status.id = cat(node_name_, "-c", next_id_++);
  container.status.sandbox_id = sandbox_id;
  container.status.name = config.name;
  container.status.attempt = config.attempt;
  container.status.state = ContainerState::kCreated;
  container.status.created = executor_.wall_now();
  const auto asked_for = config.labels.find("io.kubernetes.container.image");
  container.status.image = asked_for == config.labels.end() ? config.image : asked_for->second;
  container.status.image_id = config.image;
  container.memory_limit_bytes = config.resources.memory_limit_bytes;
  container.oom_score_adj = config.resources.oom_score_adj;
  if (config.resources.cpu_quota_us > 0) container.milli_cpu_limit = config.resources.cpu_quota_us * 1000 / config.resources.cpu_period_us;
  container.behaviour = &behaviour_of(container.status.image);
  for (const auto& mount : config.mounts) {
    if (mount.kind == control::ContainerMount::Kind::kEmptyDir && !mount.read_only) container.empty_dirs.insert(volume_of(mount.host_path));
  }
  const std::string id = container.status.id;
  sandbox->second.containers.push_back(&containers_.add(id, std::move(container)));
  answer<std::string>(milliseconds(2), std::move(done), id);
}

void SimulatedRuntime::start_container(const std::string& id, Done<ContainerStatus> done) {
  const auto found = containers_.find(id);
  if (found == containers_.end()) {
    answer<ContainerStatus>(Duration{}, std::move(done), Error(ErrorCode::kNotFound, cat("no container ", id)));
    return;
  }
  const Duration takes = found->second.behaviour->start.draw(rng_) * slowness_ * disk_slowness_;
  executor_.after(takes, [this, alive = alive_, id, done = std::move(done)] {
    if (!*alive) return;
    const auto container = containers_.find(id);
    if (container == containers_.end()) {
      done(Error(ErrorCode::kNotFound, cat("no container ", id)));
      return;
    }
    Container& c = container->second;
    if (!c.behaviour->start_error.empty()) {
      done(Error(ErrorCode::kInternalError, cat("failed to start container: ", c.behaviour->start_error)));
      return;
    }
    started(id, c);
    done(c.status);
  });
}

void SimulatedRuntime::started(const std::string& id, Container& c) {
  const ImageBehaviour& behaviour = *c.behaviour;
  join_load(c);
  c.status.state = ContainerState::kRunning;
  c.status.started = executor_.wall_now();
  write_to_disk(id, c);
  c.ready_at = executor_.now() + behaviour.ready.draw(rng_) * slowness_;
  const auto end_after = [&](Duration after, int code) {
    executor_.after(after, [this, alive = alive_, id, code] {
      if (*alive) exit_container(id, code);
    });
  };
  if (behaviour.exit_after) end_after(behaviour.exit_after->draw(rng_) * slowness_, behaviour.exit_code);
  if (behaviour.crash_at_start > 0 && rng_.chance_ppm(behaviour.crash_at_start)) {
    end_after(rng_.between(milliseconds(10), milliseconds(500)), behaviour.crash_code);
  }
  if (behaviour.crash_after) end_after(behaviour.crash_after->draw(rng_), behaviour.crash_code);
  if (!behaviour.lists.empty()) {
    executor_.after(rng_.between(milliseconds(1), behaviour.list_period), [this, alive = alive_, id] {
      if (*alive) ask_api(id);
    });
  }
  count_cpu_wanted();
  memory_used(behaviour);
  if ((behaviour.memory_moves() && c.memory_limit_bytes > 0) || behaviour.crashes_without || behaviour.spin_milli_cpu > 0) {
    executor_.after(rng_.between(milliseconds(1), kContainerLookPeriod), [this, alive = alive_, id] {
      if (*alive) look_after(id);
    });
  }
}

void SimulatedRuntime::look_after(const std::string& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.status.state != ContainerState::kRunning) return;
  Container& c = found->second;
  if (c.memory_limit_bytes > 0 && memory_of(c) > c.memory_limit_bytes) {
    kill_for_memory(id);
    return;
  }
  const bool lacks = (c.behaviour->crashes_without || c.behaviour->spin_milli_cpu > 0) && lacks_what_it_needs(c);
  if (lacks && c.behaviour->crashes_without) {
    exit_container(id, c.behaviour->crash_code);
    return;
  }
  if (c.spins != (lacks && c.behaviour->spin_milli_cpu > 0)) {
    count_cpu();
    c.spins = !c.spins;
    count_cpu_wanted();
  }
  executor_.after(kContainerLookPeriod, [this, alive = alive_, id] {
    if (*alive) look_after(id);
  });
}

void SimulatedRuntime::forget_container(const std::string& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end()) return;
  if (found->second.status.state == ContainerState::kRunning) leave_load(found->second);
  disk_.remove_container(id, executor_.now());
  containers_.erase(found);
  count_cpu_wanted();
}

void SimulatedRuntime::exit_container(const std::string& id, int exit_code) {
  end_container(id, exit_code, exit_code == 0 ? "Completed" : "Error");
}

void SimulatedRuntime::end_container(const std::string& id, int exit_code, std::string_view reason) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.status.state != ContainerState::kRunning) return;
  auto& status = found->second.status;
  leave_load(found->second);
  disk_.ended(id, executor_.now());
  status.state = ContainerState::kExited;
  status.finished = executor_.wall_now();
  status.exit_code = exit_code;
  status.reason = reason;
  count_cpu_wanted();
  tell({reason == "OOMKilled" ? RuntimeEvent::Kind::kContainerOomKilled : RuntimeEvent::Kind::kContainerExited,
        status.sandbox_id, id});
}

void SimulatedRuntime::tell(const RuntimeEvent& event) {
  if (!listener_) return;
  executor_.post([this, alive = alive_, event] {
    if (*alive && listener_) listener_(event);
  });
}

void SimulatedRuntime::set_slowness(int64_t factor) {
  slowness_ = factor;
  for (const auto& [id, sandbox] : sandboxes_) unsettle_probes(id);
}

bool SimulatedRuntime::crash_container(const std::string& id, int exit_code) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.status.state != ContainerState::kRunning) return false;
  exit_container(id, exit_code);
  return true;
}

void SimulatedRuntime::kill_for_memory(const std::string& id) { end_container(id, kKilled, "OOMKilled"); }

void SimulatedRuntime::hang_container(const std::string& id, bool hung) {
  const auto found = containers_.find(id);
  if (found == containers_.end()) return;
  found->second.hung = hung;
  unsettle_probes(found->second.status.sandbox_id);
}

void SimulatedRuntime::set_probes_fail(const std::string& pod_uid, bool fail) {
  if (fail) {
    failing_probes_.insert(pod_uid);
  } else {
    failing_probes_.erase(pod_uid);
  }
  for (const auto& [id, sandbox] : sandboxes_) {
    if (sandbox.status.uid == pod_uid) unsettle_probes(id);
  }
}

std::vector<std::string> SimulatedRuntime::running_containers(const std::string& pod_uid, const std::string& container) const {
  std::vector<std::string> ids;
  for (const auto& [sandbox_id, sandbox] : sandboxes_) {
    if (sandbox.status.uid != pod_uid) continue;
    for (const auto* made : sandbox.containers) {
      const auto& status = made->status;
      if (status.state == ContainerState::kRunning && (container.empty() || status.name == container)) ids.push_back(status.id);
    }
  }
  return ids;
}

void SimulatedRuntime::stop_container(const std::string& id, Duration grace, Done<Unit> done) {
  const auto found = containers_.find(id);
  if (found == containers_.end() || found->second.status.state != ContainerState::kRunning) {
    answer<Unit>(Duration{}, std::move(done), Unit{});
    return;
  }
  const Duration wanted = found->second.behaviour->stop.draw(rng_) * slowness_;
  const bool listens = !found->second.hung && !found->second.behaviour->ignores_sigterm;
  const bool in_time = listens && wanted < grace;
  executor_.after(in_time ? wanted : grace, [this, alive = alive_, id, in_time, done = std::move(done)] {
    if (!*alive) return;
    // A server ends well, a program with an end of its own is interrupted before it. Of the signal itself neither
    // dies: the first process of a container does not unless it wants to.
    const bool interrupted = containers_.contains(id) && containers_.at(id).behaviour->exit_after;
    exit_container(id, !in_time ? kKilled : interrupted ? kTerminated : 0);
    done(Unit{});
  });
}

void SimulatedRuntime::remove_container(const std::string& id, Done<Unit> done) {
  const auto found = containers_.find(id);
  if (found != containers_.end()) {
    const auto sandbox = sandboxes_.find(found->second.status.sandbox_id);
    if (sandbox != sandboxes_.end()) std::erase(sandbox->second.containers, &found->second);
    forget_container(id);
  }
  answer<Unit>(Duration{}, std::move(done), Unit{});
}

void SimulatedRuntime::update_container(const std::string& id, const control::ContainerResources& resources, Done<Unit> done) {
  Result<Unit> result = Error(ErrorCode::kNotFound, cat("no container ", id));
  if (const auto found = containers_.find(id); found != containers_.end()) {
    count_cpu();
    found->second.memory_limit_bytes = resources.memory_limit_bytes;
    found->second.milli_cpu_limit = resources.cpu_quota_us > 0 ? resources.cpu_quota_us * 1000 / resources.cpu_period_us : 0;
    count_cpu_wanted();
    result = Unit{};
  }
  answer<Unit>(Duration{}, std::move(done), std::move(result));
}

void SimulatedRuntime::container_status(const std::string& id, Done<ContainerStatus> done) {
  const auto found = containers_.find(id);
  Result<ContainerStatus> result = Error(ErrorCode::kNotFound, cat("no container ", id));
  if (found != containers_.end()) result = found->second.status;
  answer<ContainerStatus>(Duration{}, std::move(done), std::move(result));
}

void SimulatedRuntime::list_containers(Done<std::vector<ContainerStatus>> done) {
  std::vector<ContainerStatus> all;
  for (const auto& [id, container] : containers_) all.push_back(container.status);
  answer<std::vector<ContainerStatus>>(Duration{}, std::move(done), std::move(all));
}

ImageStatus SimulatedRuntime::image_status(const std::string& reference) const {
  ImageStatus image;
  image.id = cat("sha256:", to_hex(cat(fnv1a_64(reference))));
  image.tags = {reference};
  image.size_bytes = behaviour_of(reference).image_bytes;
  image.user = "1000";
  return image;
}

void SimulatedRuntime::find_image(const std::string& reference, Done<ImageStatus> done) {
  const bool here = pulled_.contains(reference) || behaviour_of(reference).preloaded;
  Result<ImageStatus> result = Error(ErrorCode::kNotFound, cat("no image ", reference));
  if (here) result = image_status(reference);
  answer<ImageStatus>(Duration{}, std::move(done), std::move(result));
}

void SimulatedRuntime::pull_image(const std::string& reference, std::optional<control::PullCredentials>,
                                  Done<ImageStatus> done) {
  const auto& behaviour = behaviour_of(reference);
  Result<ImageStatus> result = Error(ErrorCode::kNotFound, cat("failed to resolve reference ", quoted(reference), ": not found"));
  if (Status admitted = surroundings_.admit_pull(reference, executor_.now()); !admitted) {
    answer<ImageStatus>(milliseconds(100), std::move(done), std::move(admitted).error());
    return;
  }
  if (!disk_has_room()) {
    answer<ImageStatus>(behaviour.pull.draw(rng_), std::move(done), disk_full_error(cat("failed to extract image ", quoted(reference))));
    return;
  }
  if (!behaviour.missing) {
    result = image_status(reference);
    pulled_.insert(reference);
    disk_.add_image(reference, result->size_bytes);
  }
  answer<ImageStatus>(behaviour.pull.draw(rng_) * disk_slowness_, std::move(done), std::move(result));
}

void SimulatedRuntime::list_images(Done<std::vector<ImageStatus>> done) {
  std::vector<ImageStatus> all;
  for (const auto& reference : pulled_) all.push_back(image_status(reference));
  answer<std::vector<ImageStatus>>(Duration{}, std::move(done), std::move(all));
}

void SimulatedRuntime::remove_image(const std::string& id, Done<Unit> done) {
  std::erase_if(pulled_, [&](const std::string& reference) {
    const bool goes = image_status(reference).id == id;
    if (goes) disk_.remove_image(reference);
    return goes;
  });
  answer<Unit>(Duration{}, std::move(done), Unit{});
}

void SimulatedRuntime::stats(Done<std::vector<control::ContainerStats>> done) {
  count_cpu();
  std::vector<control::ContainerStats> all;
  for (const auto& [id, container] : containers_) {
    if (container.status.state != ContainerState::kRunning) continue;
    const int64_t memory = held_memory_of(container);
    all.push_back({id, container.status.name, container.status.sandbox_id, container.cpu_usage_ns, memory, memory, 1});
  }
  answer<std::vector<control::ContainerStats>>(Duration{}, std::move(done), std::move(all));
}

void SimulatedRuntime::disk_usage(std::vector<std::string> pod_uids, Done<control::DiskUsage> done) {
  answer<control::DiskUsage>(Duration{}, std::move(done), disk_.usage(pod_uids, executor_.now()));
}

void SimulatedRuntime::write_volume(const std::string& directory, std::map<std::string, VolumeFile> files, std::optional<int64_t>,
                                    Done<Unit> done) {
  if (const auto token = files.find("token"); surroundings_.asks && token != files.end()) {
    constexpr std::string_view kPods = "/pods/";
    const auto of_pod = std::string_view(directory).substr(kPods.size());
    tokens_[std::string(of_pod.substr(0, of_pod.find('/')))] = token->second.content;
  }
  answer<Unit>(Duration{}, std::move(done), Unit{});
}

void SimulatedRuntime::remove_pod_volumes(const std::string& pod_uid, Done<Unit> done) {
  disk_.remove_volumes(pod_uid);
  answer<Unit>(Duration{}, std::move(done), Unit{});
}

void SimulatedRuntime::remove_pod_directories(const std::string& pod_uid, Done<Unit> done) {
  tokens_.erase(pod_uid);
  disk_.remove_volumes(pod_uid);
  answer<Unit>(Duration{}, std::move(done), Unit{});
}

std::string SimulatedRuntime::pod_volume_root(const std::string& pod_uid) const { return cat("/pods/", pod_uid, "/volumes"); }

std::string SimulatedRuntime::pod_log_directory(const std::string& namespace_, const std::string& name,
                                                const std::string& uid) const {
  return cat("/logs/", namespace_, "_", name, "_", uid);
}

void SimulatedRuntime::on_event(std::function<void(const RuntimeEvent&)> listener) { listener_ = std::move(listener); }

}  // namespace minik::sim
