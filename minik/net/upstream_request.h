// UpstreamRequest: one HTTP/1.1 request to one of several endpoints, and its answer on its way to a
// client.
//
//   connecting --next endpoint on failure--> sent --> head --> body … end
//       ^                                     |        `-> 101: two byte streams
//       `-- no byte of an answer, and repeatable
//
// Lives on the loop of the client's connection, kept by its own callbacks until the answer is
// complete or either side is gone. The answer when no endpoint can be reached is 502, when none
// answers in time 504.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/network/service_rules.h"
#include "minik/net/fd_channel.h"
#include "minik/net/http_response_reader.h"
#include "minik/net/responder.h"

namespace minik {

struct UpstreamOrder {
  std::string method;
  std::string bytes;                               // the request, head and body, as it is sent
  std::vector<control::ServiceBackend> endpoints;  // in the order in which they are tried
  // Reads only: an endpoint that ends without an answer did no harm, and the next one is asked.
  bool repeatable = false;
  std::function<void(HttpResponse& head)> adjust_head = {};  // before it is passed on
  std::function<Result<UniqueFd>()> open;
};

class UpstreamRequest : public std::enable_shared_from_this<UpstreamRequest> {
 public:
  UpstreamRequest(UpstreamOrder order, Responder responder);

  // On the loop of the responder.
  void begin();

 private:
  void connect_next();
  void on_connected();
  void on_bytes(std::string_view bytes);
  void on_end();
  void on_head();
  void pass_body();
  void upgrade(std::string rest);
  void fail(int status, const std::string& why);
  void give_up();
  void arm(Duration patience);
  void drop();

  UpstreamOrder order_;
  Responder responder_;
  EventLoop& loop_;
  HttpResponseReader reader_;
  std::string in_;  // of the answer, not parsed yet
  size_t next_ = 0;
  UniqueFd socket_;
  std::unique_ptr<FdWatch> connecting_;
  std::shared_ptr<FdChannel> channel_;
  std::shared_ptr<ResponseStream> stream_;
  ScopedTimer timer_;
  bool answered_ = false;  // a byte of the answer has come
  bool head_passed_ = false;
  bool upgraded_ = false;
};

}  // namespace minik
