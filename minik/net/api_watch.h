// ApiWatch: one watch over HTTP, between the control thread, where its events arrive, and the I/O thread of its
// connection, where they leave as the client takes them.
//
//   control:  on_event … on_event | end of turn --one task for each I/O thread, with the events of all watches-->
//   I/O:      initial events, then frames --while the client keeps up--> ResponseStream --> client
//
// What a watch begins with may be thousands of objects: they wait as references, and become text only as the
// client reads. Later events wait as frames, which all watchers share. A client that falls further behind than
// the limits allow is cut off; it comes again with its last resourceVersion.
//
// Internal to ApiFront. Kept alive by the watch's callbacks and by what is posted; ends with the watch, with the
// client, or when it is cut off.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "control/api/api_server.h"
#include "control/api/http.h"
#include "control/base/executor.h"
#include "minik/net/responder.h"
#include "minik/net/watch_frames.h"

namespace minik {

class ApiWatch;

struct WatchLimits {
  size_t backlog_bytes_max = kStreamBacklogBytesMax;
  size_t total_backlog_bytes_max = kWatchTotalBacklogBytesMax;
};

// All watches of one front: gathers the events of a turn and hands them over together. Control thread only; its
// owner keeps it until the control thread has stopped.
class WatchFanOut {
 public:
  // `wall_now` is what tables count ages from, asked on I/O threads; empty: the real time.
  WatchFanOut(const control::Schema& schema, Executor& control, WatchLimits limits, std::function<WallTime()> wall_now)
      : control_(control), limits_(limits), wall_now_(std::move(wall_now)), frames_(schema) {}

 private:
  friend class ApiWatch;
  void hand_over_soon(std::shared_ptr<ApiWatch> watch);
  void hand_over();

  Executor& control_;
  const WatchLimits limits_;
  const std::function<WallTime()> wall_now_;
  WatchFrames frames_;
  std::vector<std::shared_ptr<ApiWatch>> ready_;
};

class ApiWatch : public std::enable_shared_from_this<ApiWatch> {
 public:
  ApiWatch(WatchFanOut& fan_out, const control::Schema& schema, control::ResourceCall call,
           std::vector<HttpHeader> headers, Responder responder);

  // On the control thread. An error is the answer to the request: nothing has been sent then.
  Status begin(control::ApiServer& server);

 private:
  friend class WatchFanOut;
  void on_event(const control::WatchEvent& event);
  void on_end(const Status& status);
  void end();

  // On the loop.
  void take(std::vector<WatchFramePtr> frames, bool last);
  void send_on();
  void give_up();
  WallTime wall_now() const;

  WatchFanOut& fan_out_;
  const control::Schema& schema_;
  const SharedCall call_;
  std::vector<HttpHeader> headers_;
  const Responder responder_;
  std::shared_ptr<ResponseStream> stream_;  // set once, before anything is posted to the loop

  // On the control thread.
  std::unique_ptr<control::WatchHandle> handle_;
  std::vector<WatchFramePtr> batch_;
  bool begun_ = false;
  bool ready_ = false;  // stands in the fan-out's list
  bool ended_ = false;

  // On the loop, but for what begin() fills before it posts.
  std::vector<control::WatchEvent> initial_;
  size_t initial_sent_ = 0;
  std::deque<WatchFramePtr> waiting_;
  size_t waiting_bytes_ = 0;
  bool last_taken_ = false;  // nothing comes after what waits
  bool closed_ = false;
};

}  // namespace minik
