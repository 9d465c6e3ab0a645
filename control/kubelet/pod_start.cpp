// How one container comes up: image, configuration, start, and what happens when one of them fails.
#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/kubelet/image_name.h"
#include "control/kubelet/pod_worker.h"
#include "control/kubelet/pull_secrets.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

void PodWorker::start_container(const Value& container) {
  const std::string reference = container[keys::kImage].string();
  if (const Status named = check_image_name(reference); !named.ok()) {
    const std::string why = cat("Failed to apply default image tag ", quoted(reference), ": ", named.error().message);
    event("Warning", "InspectFailed", why, container);
    image_failed(container, "InvalidImageName", why);
    later(Duration{});  // the pod's other containers do not wait for this one
    return;
  }
  const auto policy = container[keys::kImagePullPolicy].as_string("IfNotPresent");
  if (policy == "Always") {
    pull_then_create(container, reference);
    return;
  }
  context_.runtime.find_image(
      reference, step<ImageStatus>([this, container, reference, never = policy == "Never"](Result<ImageStatus> found) {
        if (found) {
          event("Normal", "Pulled",
                cat("Container image ", quoted(reference), " already present on machine and can be accessed by the pod"), container);
          create_container(container, *found);
        } else if (never) {
          const std::string why = cat("Container image ", quoted(reference), " is not present with pull policy of Never");
          event("Warning", "ErrImageNeverPull", why, container);
          image_failed(container, "ErrImageNeverPull", why);
        } else {
          pull_then_create(container, reference);
        }
      }));
}

void PodWorker::pull_then_create(const Value& container, const std::string& reference) {
  event("Normal", "Pulling", cat("Pulling image ", quoted(reference)), container);
  write_status();
  fetch_pull_secrets(std::make_shared<Pull>(Pull{container, reference}));
}

// Anew for each pull: they may have been mended since the last one. The pull goes on without those that cannot be had.
void PodWorker::fetch_pull_secrets(const std::shared_ptr<Pull>& pull) {
  const auto wanted = pod_[keys::kSpec][keys::kImagePullSecrets].items();
  if (pull->secrets_asked < wanted.size()) {
    ApiRequest request;
    request.verb = Verb::kGet;
    request.kind = kinds::kSecrets;
    request.namespace_ = object_namespace(pod_);
    request.name = wanted[pull->secrets_asked++][keys::kName].string();
    context_.client.send(request, step<ApiResponse>([this, pull, name = request.name](const Result<ApiResponse>& secret) {
      if (secret) {
        pull->secrets.push_back(secret->object);
      } else {
        pull->secrets_missing.push_back(name);
      }
      fetch_pull_secrets(pull);
    }));
    return;
  }
  if (!pull->secrets_missing.empty()) {
    event("Warning", "FailedToRetrieveImagePullSecret",
          cat("Unable to retrieve some image pull secrets (", join(pull->secrets_missing, ", "),
              "); attempting to pull the image may not succeed."));
  }
  for (auto& credentials : credentials_for(pull->image, pull->secrets)) pull->credentials.emplace_back(std::move(credentials));
  if (pull->credentials.empty()) pull->credentials.emplace_back(std::nullopt);
  pull->begun = context_.executor.now();
  pull_image(pull);
}

void PodWorker::pull_image(const std::shared_ptr<Pull>& pull) {
  context_.runtime.pull_image(pull->image, pull->credentials[pull->tried++], step<ImageStatus>([this, pull](Result<ImageStatus> pulled) {
    const Value& container = pull->container;
    if (pulled) {
      context_.image_pulled(pulled->id);
      const Duration took = context_.executor.now() - pull->begun;
      const std::string shown = format_duration(milliseconds(took.milliseconds()));
      event("Normal", "Pulled",
            cat("Successfully pulled image ", quoted(pull->image), " in ", shown, " (", shown, " including waiting). Image size: ",
                pulled->size_bytes, " bytes."),
            container);
      create_container(container, *pulled);
      return;
    }
    if (pull->tried < pull->credentials.size()) return pull_image(pull);
    pull_failed(*pull, pulled.error());
  }));
}

void PodWorker::pull_failed(const Pull& pull, const Error& error) {
  const Value& container = pull.container;
  event("Warning", "Failed", cat("Failed to pull image ", quoted(pull.image), ": ", error.message), container);
  image_failed(container, "ErrImagePull", error.message);
  write_status();
  const std::string back_off = cat("Back-off pulling image ", quoted(pull.image));
  event("Normal", "BackOff", back_off, container);
  event("Warning", "Failed", "Error: ImagePullBackOff", container);
  auto& record = state_.containers[container[keys::kName].string()];
  record.waiting_reason = "ImagePullBackOff";
  record.waiting_message = cat(back_off, ": ErrImagePull: ", error.message);
}

// Of what went wrong with an image others have told more.
void PodWorker::image_failed(const Value& container, std::string_view reason, const std::string& message) {
  event("Warning", "Failed", cat("Error: ", reason), container);
  wait_to_start(container, reason, message, kBackOffFirst);
}

void PodWorker::start_failed(const Value& container, std::string_view reason, const Error& error, Duration first) {
  event("Warning", "Failed", cat("Error: ", error.message), container);
  wait_to_start(container, reason, error.message, first);
}

void PodWorker::wait_to_start(const Value& container, std::string_view reason, const std::string& message, Duration first) {
  auto& record = state_.containers[container[keys::kName].string()];
  record.back_off = longer_back_off(record.back_off, first);
  record.next_start = context_.executor.now() + record.back_off;
  record.waiting_reason = reason;
  record.waiting_message = message;
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
  auto mounts = container_mounts(pod_with_claimed_volumes(), container,
                                 context_.runtime.pod_volume_root(uid), *env);
  if (!mounts) return refuse(mounts.error());
  ContainerConfig config;
  config.name = name;
  const bool again = record.current || record.ran_before;
  config.attempt = static_cast<uint32_t>(record.restart_count + (again ? 1 : 0));
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
  if (const Status allowed = check_not_root(pod_, container, config.security, image.user); !allowed.ok()) return refuse(allowed.error());
  config.resources = make_resources(pod_[keys::kSpec], container, context_.node_memory_bytes);
  if (const auto target = container[keys::kTargetContainerName].string(); !target.empty()) {
    const auto& seen = state_.containers[target];
    if (!seen.running()) return refuse(Error(ErrorCode::kConflict, cat("container ", target, " is not running")));
    config.processes_of = seen.current->id;
  }
  config.stdin_open = container[keys::kStdin].as_bool();
  config.stdin_once = container[keys::kStdinOnce].as_bool();
  config.tty = container[keys::kTty].as_bool();
  config.log_path = cat(context_.runtime.pod_log_directory(std::string(object_namespace(pod_)),
                                                           std::string(object_name(pod_)), uid),
                        "/", name, "/", config.attempt, ".log");
  config.stop_signal = container[keys::kLifecycle][keys::kStopSignal].string();
  config.termination_message_path = container[keys::kTerminationMessagePath].string();
  // Whoever ends the containers without the node agent has their grace from here.
  config.labels = {{"io.kubernetes.container.name", name},
                   {"io.kubernetes.pod.name", std::string(object_name(pod_))},
                   {"io.kubernetes.pod.namespace", std::string(object_namespace(pod_))},
                   {"io.kubernetes.pod.uid", uid},
                   {"io.kubernetes.pod.terminationGracePeriod", cat(pod_[keys::kSpec][keys::kTerminationGracePeriodSeconds].as_int(30))},
                   {"io.kubernetes.container.image", container[keys::kImage].string()}};
  if (const Value& policy = container[keys::kTerminationMessagePolicy]; policy.as_string() == "FallbackToLogsOnError") {
    config.labels["io.kubernetes.container.terminationMessagePolicy"] = policy.string();
  }
  const uint32_t attempt = config.attempt;
  context_.runtime.create_container(
      state_.sandbox->id, std::move(config), step<std::string>([this, container, attempt](Result<std::string> id) {
        if (!id) {
          start_failed(container, "CreateContainerError", id.error(), kBackOffFirst);
          return;
        }
        event("Normal", "Created", "Container created", container);
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
              failed.sandbox_id = state_.sandbox->id;
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
              r.replaced = false;
              r.restart_count = attempt;
              event("Warning", "Failed", cat("Error: ", started.error().message), container);
            }));
      }));
}

// The newest container becomes the one before it, whose place a new one takes.
void PodWorker::keep_as_last(ContainerRecord& record) {
  if (!record.current) return;
  if (record.last) context_.runtime.remove_container(record.last->id, [](const Result<Unit>&) {});
  record.last = std::make_unique<ContainerStatus>(*std::move(record.current));
}

void PodWorker::on_started(const Value& container, const ContainerStatus& status) {
  const std::string name = container[keys::kName].string();
  auto& record = state_.containers[name];
  keep_as_last(record);
  record.current = status;
  record.current->name = name;
  drop_former_sandboxes();
  if (record.current->image.empty()) record.current->image = container[keys::kImage].string();
  record.restart_count = status.attempt;
  record.waiting_reason.clear();
  record.waiting_message.clear();
  record.last_start = context_.executor.now();
  record.resources = container[keys::kResources];
  const bool hook = container[keys::kLifecycle][keys::kPostStart].has_value();
  record.in_post_start = hook;
  record.replaced = false;
  record.started = record.ready = false;
  count_start(container);
  event("Normal", "Started", "Container started", container);
  const auto ended = std::exchange(early_ends_, {});
  if (const auto found = ended.find(status.id); found != ended.end()) return on_exited(name, found->second);
  hook ? run_post_start(container, status.id) : on_up(container, status.id);
}

void PodWorker::on_up(const Value& container, const std::string& id) {
  auto& record = state_.containers[container[keys::kName].string()];
  record.in_post_start = false;
  record.started = !container[keys::kStartupProbe].has_value();
  record.ready = record.started && !container[keys::kReadinessProbe].has_value();
  start_probes(container, id);
}

void PodWorker::count_start(const Value& container) {
  if (!context_.metrics) return;
  const auto containers = pod_[keys::kSpec][keys::kContainers].items();
  const auto visitors = pod_[keys::kSpec][keys::kEphemeralContainers].items();
  if (std::ranges::find(visitors, container) != visitors.end()) return;
  const bool init = std::ranges::find(containers, container) == containers.end();
  context_.metrics->container_started(init);
  const bool all_run = std::ranges::all_of(containers, [&](const Value& c) {
    const auto record = state_.containers.find(c[keys::kName].string());
    return record != state_.containers.end() && record->second.running();
  });
  if (!all_run || !seen_) return;
  context_.metrics->pod_started(context_.executor.now() - *seen_);
  seen_.reset();
}

}  // namespace minik::control
