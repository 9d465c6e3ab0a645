#include "minik/live/simulated_streams.h"

#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/kubelet/pod_state.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik {

namespace keys = control::keys;
using control::Value;

namespace {

Error no_program(std::string_view what) {
  return Error(ErrorCode::kBadRequest, cat(what, " needs a program, and in a simulated container none runs: `kubectl "
                                                 "logs` tells what the container is, `minik start` has real ones"));
}

const Value& find_named(const Value& list, std::string_view name) {
  for (const Value& item : list.items()) {
    if (item[keys::kName].as_string() == name) return item;
  }
  return Value::absent();
}

const Value& status_of_container(const Value& pod, std::string_view name) {
  for (const auto& list : {keys::kContainerStatuses, keys::kInitContainerStatuses}) {
    const Value& found = find_named(pod[keys::kStatus][list], name);
    if (found.has_value()) return found;
  }
  return Value::absent();
}

std::string image_of(const Value& pod, std::string_view name) {
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    const Value& found = find_named(pod[keys::kSpec][list], name);
    if (found.has_value()) return found[keys::kImage].string();
  }
  return "";
}

WallTime time_of(const Value& text) {
  return parse_time(text.as_string()).value_or(WallTime{});
}

std::string ending_of(const Value& terminated) {
  const std::string reason = terminated[keys::kReason].string();
  return cat("ended with exit code ", terminated[keys::kExitCode].as_int(), reason.empty() ? "" : cat(" (", reason, ")"));
}

// What a reader of the log has asked to see of it.
std::string rendered(const SimulatedLog& log, size_t from, const PodLogRequest& request, WallTime now) {
  std::string text;
  size_t first = from;
  if (request.tail_lines && from == 0) {
    const auto tail = static_cast<size_t>(std::min<int64_t>(*request.tail_lines, static_cast<int64_t>(log.lines.size())));
    first = log.lines.size() - tail;
  }
  for (size_t i = first; i < log.lines.size(); ++i) {
    const auto& line = log.lines[i];
    if (request.since_time && line.at < *request.since_time) continue;
    if (request.since_seconds && line.at < now - seconds(*request.since_seconds)) continue;
    text += cat(request.timestamps ? cat(format_nano_time(line.at), " ") : std::string(), line.text, "\n");
  }
  if (request.limit_bytes && text.size() > static_cast<size_t>(*request.limit_bytes)) {
    text.resize(static_cast<size_t>(*request.limit_bytes));
  }
  return text;
}

// A followed log: a watch of the pod, whose every news may be a line. Lives as long as its watch.
class Follower : public std::enable_shared_from_this<Follower> {
 public:
  Follower(Executor& control, PodLogRequest request, std::shared_ptr<ResponseStream> stream)
      : control_(control), request_(std::move(request)), stream_(std::move(stream)) {}

  void begin(control::ApiServer& server) {
    control::ApiRequest watch;
    watch.verb = control::Verb::kWatch;
    watch.kind = control::kinds::kPods;
    watch.namespace_ = std::string(control::object_namespace(request_.target.pod));
    watch.options.field_selector = cat("metadata.name=", control::object_name(request_.target.pod));
    watch.user = control::component_user("system:node:logs");
    const auto self = shared_from_this();
    auto handle = server.watch(watch, {.on_event = [self](const control::WatchEvent& event) { self->on_event(event); },
                                       .on_end = [self](const Status&) { self->end_soon(); }});
    if (!handle) {
      stream_->finish();
      return;
    }
    handle_ = *std::move(handle);
  }

  // Not from inside the watch's own callback, which would die in it.
  void end_soon() {
    ended_ = true;
    control_.post([self = shared_from_this()] {
      self->handle_.reset();
      if (const auto stream = std::exchange(self->stream_, nullptr)) stream->finish();
    });
  }

 private:
  void on_event(const control::WatchEvent& event) {
    if (ended_) return;
    const Value& pod = event.object;
    const bool another = pod[keys::kMetadata][keys::kUid] != request_.target.pod[keys::kMetadata][keys::kUid];
    const int64_t run = status_of_container(pod, request_.container)[keys::kRestartCount].as_int();
    if (run_ < 0) run_ = run;
    const bool over = another || event.type == control::WatchEventType::kDeleted || run != run_;
    const auto log = simulated_log(pod, request_.container, !another && run != run_);
    if (log && !another && log->lines.size() > written_) {
      const std::string text = rendered(*log, written_, request_, control_.wall_now());
      written_ = log->lines.size();
      if (!text.empty() && !stream_->write(text)) return end_soon();
    }
    if (over || (log && log->ended)) end_soon();
  }

  Executor& control_;
  const PodLogRequest request_;
  std::shared_ptr<ResponseStream> stream_;
  std::unique_ptr<control::WatchHandle> handle_;
  size_t written_ = 0;
  int64_t run_ = -1;
  bool ended_ = false;
};

}  // namespace

Result<SimulatedLog> simulated_log(const Value& pod, const std::string& container, bool previous) {
  const Value& status = status_of_container(pod, container);
  const Value& state = status[previous ? keys::kLastState : keys::kState];
  const Value& running = state[keys::kRunning];
  const Value& terminated = state[keys::kTerminated];
  const auto pod_name = control::object_name(pod);
  if (!running.has_value() && !terminated.has_value()) {
    if (previous) {
      return Error(ErrorCode::kBadRequest, cat("previous terminated container ", quoted(container), " in pod ",
                                               quoted(pod_name), " not found"));
    }
    const std::string reason = state[keys::kWaiting][keys::kReason].string();
    // Between two runs the last one is what there is to read.
    if (status[keys::kLastState][keys::kTerminated].has_value()) return simulated_log(pod, container, true);
    return Error(ErrorCode::kBadRequest, cat("container ", quoted(container), " in pod ", quoted(pod_name),
                                             " is waiting to start: ", control::why_not_started(reason)));
  }
  SimulatedLog log;
  const WallTime started = time_of((running.has_value() ? running : terminated)[keys::kStartedAt]);
  const int64_t run = status[keys::kRestartCount].as_int() - (previous ? 1 : 0);
  log.lines.push_back({started, cat("minik sim: a simulated container; no program runs in it")});
  log.lines.push_back({started, cat("container ", container, " of pod ", control::object_namespace(pod), "/", pod_name,
                                    " on node ", pod[keys::kSpec][keys::kNodeName].string(), ", image ",
                                    image_of(pod, container), ", restarts ", std::max<int64_t>(run, 0))});
  log.lines.push_back({started, "started"});
  if (running.has_value() && status[keys::kReady].as_bool()) {
    WallTime ready = started;
    for (const Value& condition : pod[keys::kStatus][keys::kConditions].items()) {
      if (condition[keys::kType].as_string() == "ContainersReady") {
        ready = std::max(ready, time_of(condition[keys::kLastTransitionTime]));
      }
    }
    log.lines.push_back({ready, "ready"});
  }
  if (terminated.has_value()) {
    log.lines.push_back({time_of(terminated[keys::kFinishedAt]), ending_of(terminated)});
    log.ended = true;
  }
  return log;
}

Result<ExecStart> SimulatedStreams::exec(const PodExecRequest&) {
  return no_program("exec");
}

Result<ExecStart> SimulatedStreams::attach(const PodExecRequest&) {
  return no_program("attach");
}

Result<ConnectPort> SimulatedStreams::port_forward(const control::ConnectTarget&) {
  return no_program("port-forward");
}

Result<LogStart> SimulatedStreams::log(const PodLogRequest& request) {
  MINIK_ASSIGN(const auto log, simulated_log(request.target.pod, request.container, request.previous));
  if (!request.follow || log.ended) {
    return LogStart([text = rendered(log, 0, request, control_.wall_now())](
                        const std::shared_ptr<ResponseStream>& stream, const std::function<void(Task)>&) {
      if (!text.empty()) stream->write(text);
      stream->finish();
    });
  }
  return LogStart([this, request](std::shared_ptr<ResponseStream> stream, const std::function<void(Task)>& on_close) {
    const auto follower = std::make_shared<Follower>(control_, request, stream);
    on_close([&control = control_, follower] { control.post([follower] { follower->end_soon(); }); });
    control_.post([this, follower, stream] {
      if (control::ApiServer* server = server_()) return follower->begin(*server);
      stream->finish();
    });
  });
}

}  // namespace minik
