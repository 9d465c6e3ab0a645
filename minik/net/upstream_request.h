// UpstreamRequest: one HTTP/1.1 request to one of several endpoints, and its answer on its way to a
// client. Neither body is held: each side is read as fast as the other takes it.
//
//   connecting --next endpoint on failure--> sent --> head --> body … end
//       ^                                     |        `-> 101: two byte streams
//       `-- no byte of an answer, and repeatable
//
// Lives on the loop of the client's connection, kept by its own callbacks until the answer is complete or either side is
// gone; an answer that is complete before the request is ends both. When no endpoint can be reached the answer is 502 or
// what the order says, when none answers in time 504.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/base/result.h"
#include "minik/net/byte_stream.h"
#include "minik/net/endpoint_dial.h"
#include "minik/net/html_links.h"
#include "minik/net/request_body.h"
#include "minik/net/http_response_reader.h"
#include "minik/net/responder.h"

namespace minik {

struct UpstreamOrder {
  std::string method;
  std::string bytes;  // the request as it is sent, head and body unless that is streamed
  std::shared_ptr<RequestBody> body = {};
  enum class Framing { kLength, kChunks } body_framing = Framing::kLength;  // as `bytes` announces it
  EndpointRoute route;
  // Reads only: an endpoint that ends without an answer did no harm, and the next one is asked.
  bool repeatable = false;
  std::function<void(HttpResponse& head)> adjust_head = {};  // before it is passed on
  // Who changes the links of the page that this head begins; null: it passes as it is.
  std::function<std::unique_ptr<HtmlLinks>(const HttpResponse& head)> links = {};
  std::function<void(int status)> answered = {};                  // what the client gets is known
  int unreachable_status = 502;  // when no endpoint can be reached
};

// Has the order carry the body of this request, if that is streamed; the head is forwarded_request()'s.
void pass_on_body(const HttpRequest& request, UpstreamOrder& order);

class UpstreamRequest : public std::enable_shared_from_this<UpstreamRequest> {
 public:
  UpstreamRequest(UpstreamOrder order, Responder responder);

  // On the loop of the responder.
  void begin();

 private:
  void connect_next();
  void on_connected(std::shared_ptr<ByteStream> endpoint);
  void send_body();
  void wait_for_more();
  void on_bytes(std::string_view bytes);
  void on_end();
  void on_head();
  void pass_body();
  void upgrade();
  void fail(int status, const std::string& why);
  void drop();

  UpstreamOrder order_;
  Responder responder_;
  HttpResponseReader reader_;
  EndpointDial dial_;
  std::string in_;  // of the answer, not parsed yet
  std::shared_ptr<ByteStream> endpoint_;
  std::shared_ptr<ResponseStream> stream_;
  std::unique_ptr<HtmlLinks> links_;
  ScopedTimer timer_;
  bool answered_ = false;  // a byte of the answer has come
  bool head_passed_ = false;
  bool upgraded_ = false;
};

}  // namespace minik
