// ListAnswer: a long list on its way to its client, encoded piece by piece as the client takes it.
//
//   I/O thread:  a piece of 64 KiB -> ResponseStream; next turn the next piece, or, when the client lags, on drain
//
// So a list of 5,000 pods, 12 MB of text, costs references and a few hundred KiB while it is sent, and the other
// connections of the I/O thread have their turns in between. Internal to ApiFront; on the connection's loop, alive
// as long as the stream wants more of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/object/json.h"
#include "control/object/value.h"
#include "minik/net/gzip.h"
#include "minik/net/responder.h"

namespace minik {

class ListAnswer : public std::enable_shared_from_this<ListAnswer> {
 public:
  // Long enough to go in pieces: a map with many items.
  static bool is_long(const control::Value& list);

  ListAnswer(control::Value list, Responder responder, bool compress);
  // The head's content-type and the like; framing is the stream's.
  void send(HttpResponse head);

 private:
  void send_on();
  void send_piece();
  bool write(std::string_view bytes);

  const control::Value list_;
  const Responder responder_;
  control::JsonListWriter writer_;
  std::unique_ptr<GzipStream> gzip_;
  std::shared_ptr<ResponseStream> stream_;
  std::string end_;  // what follows the items
  size_t sent_ = 0;  // items
  bool waiting_ = false;  // for the client
};

}  // namespace minik
