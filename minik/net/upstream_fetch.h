// UpstreamFetch: one small document from one of several endpoints, whole and within a time: what the process asks
// for itself, where UpstreamRequest carries on what a client asks.
//
// Lives on its loop, kept by its own callbacks until `done` has been called, once, on that loop. Errors are in the
// words of Go's client. What is larger than `bytes_max` is refused.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/base/result.h"
#include "minik/net/endpoint_dial.h"
#include "minik/net/http_response_reader.h"

namespace minik {

struct FetchOrder {
  std::string request;  // head of a GET, as it is sent
  EndpointRoute route;
  Duration timeout = seconds(5);
  size_t bytes_max = 0;
};

struct FetchedDocument {
  int status = 0;
  std::string body;
};

class UpstreamFetch : public std::enable_shared_from_this<UpstreamFetch> {
 public:
  using Done = std::function<void(Result<FetchedDocument>)>;

  UpstreamFetch(std::shared_ptr<EventLoop> loop, FetchOrder order, Done done);
  void begin();

 private:
  void on_bytes(std::string_view bytes);
  void on_end();
  void finish(Result<FetchedDocument> result);

  const FetchOrder order_;
  Done done_;
  EndpointDial dial_;
  std::shared_ptr<ByteStream> endpoint_;
  HttpResponseReader reader_{"GET"};
  std::string in_;  // not parsed yet
  std::string body_;
  ScopedTimer timer_;
};

}  // namespace minik
