// SPDY/3.1 framing as a pure state machine: bytes in, calls out, bytes out. No socket, no clock.
//
// Kubernetes' exec, attach and port-forward speak it, bare on an upgraded connection or inside
// WebSocket messages. All frames of the protocol are read; CREDENTIAL and unknown ones are skipped.
// Headers are inflated and deflated under the protocol's fixed dictionary, with limits on what they
// become.
//
//   bytes --receive()--> frames --> callbacks            open(), reply(), send(), reset() -->
//   output()
//
// Flow control: what arrives is acknowledged with WINDOW_UPDATE as its taker says consumed(), but a
// peer that sends past its window is not punished, and our own sending waits for windows only once
// the peer has shown (by SETTINGS or WINDOW_UPDATE) that it knows them. Kubernetes' own
// implementation does neither, and would otherwise stall after 64 KiB. Bound the memory by pausing
// the transport.
//
// Owner: one connection, on its loop's thread. A violation of the framing makes receive() return
// false after a GOAWAY was put out; violations of one stream reset that stream. Spec:
// https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minik/net/limits.h"
#include "minik/net/spdy_headers.h"

namespace minik {

// The first value of a name; "" when there is none.
std::string_view spdy_header(const SpdyHeaders& headers, std::string_view name);

enum class SpdyResetStatus : uint32_t {
  kProtocolError = 1,
  kInvalidStream = 2,
  kRefusedStream = 3,
  kUnsupportedVersion = 4,
  kCancel = 5,
  kInternalError = 6,
  kFlowControlError = 7,
  kStreamInUse = 8,
  kStreamAlreadyClosed = 9,
  kFrameTooLarge = 11,
};

class SpdySession {
 public:
  enum class Role { kServer, kClient };
  enum class End { kNo, kYes };  // whether a side of the stream ends with this frame

  // All are called from inside receive() and may call back into the session.
  struct Callbacks {
    std::function<void(uint32_t stream, const SpdyHeaders&, End)> on_stream = {};
    std::function<void(uint32_t stream, const SpdyHeaders&, End)> on_reply = {};
    // A large frame comes in several pieces; End::kYes only with the last.
    std::function<void(uint32_t stream, std::string_view, End)> on_data = {};
    std::function<void(uint32_t stream)> on_reset = {};
    std::function<void(uint32_t stream)> on_window =
        {};  // what waited for the peer's window has left
    std::function<void()> on_go_away = {};
  };

  SpdySession(Role role, Callbacks callbacks);
  ~SpdySession();
  SpdySession(const SpdySession&) = delete;
  SpdySession& operator=(const SpdySession&) = delete;

  // False when the connection must end, after its output has been sent.
  bool receive(std::string_view bytes);

  uint32_t open(const SpdyHeaders& headers, End end = End::kNo);
  void reply(uint32_t stream, const SpdyHeaders& headers = {}, End end = End::kNo);
  // Does nothing on a stream that is closed on our side.
  void send(uint32_t stream, std::string_view bytes, End end = End::kNo);
  void reset(uint32_t stream, SpdyResetStatus status);
  void ping();
  void go_away();
  // The taker has dealt with so many bytes of on_data.
  void consumed(uint32_t stream, size_t bytes);

  // Waiting for the peer's window.
  size_t waiting(uint32_t stream) const;
  bool is_open(uint32_t stream) const { return streams_.count(stream) != 0; }
  size_t stream_count() const { return streams_.size(); }

  // What is to be sent; cleared by the call.
  std::string take_output() { return std::exchange(output_, {}); }
  bool has_output() const { return !output_.empty(); }

 private:
  struct Stream {
    bool local_ended = false;
    bool remote_ended = false;
    bool replied = false;
    int64_t send_window = 0;
    size_t unacknowledged = 0;
    std::string waiting;
    bool end_waiting = false;
  };
  struct Compressor;

  bool read_frame(std::string_view& bytes);
  void read_data(std::string_view& bytes);
  void begin_data(uint32_t stream, uint8_t flags, uint32_t length);
  bool read_control(uint16_t type, uint8_t flags, std::string_view body);
  bool read_syn_stream(uint8_t flags, std::string_view body);
  bool read_syn_reply(uint8_t flags, std::string_view body);
  bool read_headers(uint8_t flags, std::string_view body);
  bool read_rst_stream(std::string_view body);
  bool read_settings(std::string_view body);
  bool read_ping(std::string_view body);
  bool read_window_update(std::string_view body);
  bool fail();

  void put_control(uint16_t type, uint8_t flags, std::string_view body);
  void put_data(uint32_t id, Stream& stream, std::string_view bytes, End end);
  void put_reset(uint32_t stream, SpdyResetStatus status);
  void put_window_update(uint32_t stream, size_t bytes);
  void send_waiting(uint32_t id);
  int64_t window_of(const Stream& stream) const;
  void end_remote(uint32_t id);
  void drop_if_ended(uint32_t id);

  const Role role_;
  const Callbacks callbacks_;
  std::unique_ptr<Compressor> compressor_;
  std::map<uint32_t, Stream> streams_;
  uint32_t next_id_;
  uint32_t last_peer_id_ = 0;
  uint32_t next_ping_;
  bool dead_ = false;
  bool going_away_ = false;

  bool peer_knows_windows_ = false;
  int64_t initial_send_window_;
  int64_t session_send_window_;
  size_t session_unacknowledged_ = 0;

  std::string partial_;  // a frame's head, or a whole control frame, that has not come in full
  // The data frame whose payload is coming; data_left_ 0: none.
  uint32_t data_stream_ = 0;
  uint32_t data_left_ = 0;
  bool data_ends_ = false;
  std::string output_;
};

}  // namespace minik
