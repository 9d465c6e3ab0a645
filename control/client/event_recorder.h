// EventRecorder: turns EventNotes into core/v1 Events, as client-go's recorder and correlator do.
//
// The same note about the same object within ten minutes becomes a count on the existing Event instead
// of a new one; notes of one source about one object are limited to a burst of 25 refilled at one each
// five minutes; failures to write are dropped after one retry, because an Event is never worth a queue
// without bound. Control thread only; owned by the component whose name it carries as source.
#pragma once

#include <memory>
#include <string>

#include "control/base/executor.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/client/plan.h"

namespace minik::control {

class EventRecorder {
 public:
  // `component` becomes source.component and reportingComponent; `host` the source's node or empty.
  EventRecorder(Executor& executor, Client& client, KindId event_kind, std::string component,
                std::string host, Rng rng);
  ~EventRecorder();
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;

  void record(const EventNote& note);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minik::control
