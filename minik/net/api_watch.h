// ApiWatch: one watch over HTTP, between the control thread, where its events arrive, and the I/O
// thread of its connection, where they are encoded.
//
//   on_event … on_event | end of turn --one batch--> encode --> ResponseStream --> client
//
// Internal to ApiFront. Kept alive by the watch's callbacks and by what is posted; ends with the
// watch, with the client, or when the client lags too far behind (ResponseStream's bound).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "control/api/api_server.h"
#include "control/api/http.h"
#include "control/base/executor.h"
#include "minik/net/responder.h"

namespace minik {

class ApiWatch : public std::enable_shared_from_this<ApiWatch> {
 public:
  // `wall_now` is what tables count ages from; empty: the real time.
  ApiWatch(const control::Schema& schema, Executor& control, control::ResourceCall call,
           Responder responder, std::function<WallTime()> wall_now)
      : schema_(schema),
        control_(control),
        call_(std::move(call)),
        responder_(std::move(responder)),
        wall_now_(std::move(wall_now)) {}

  // On the control thread. An error is the answer to the request: nothing has been sent then.
  Status begin(control::ApiServer& server);

 private:
  void hand_over_soon();
  void hand_over();
  void end();

  const control::Schema& schema_;
  Executor& control_;
  const control::ResourceCall call_;
  const Responder responder_;
  const std::function<WallTime()> wall_now_;

  // On the control thread.
  std::unique_ptr<control::WatchHandle> handle_;
  std::vector<control::WatchEvent> batch_;
  std::shared_ptr<ResponseStream> stream_;
  bool handing_over_ = false;
  bool ended_ = false;
};

}  // namespace minik
