// What the reader of requests and the reader of responses share of Boost.Beast's HTTP/1.1 parser (RFC 9112).
//
// Beast asserts that a last chunk comes with five bytes or more, and aborts where a peer sends "0\r\n" and "\r\n" by
// themselves. A chunked body has at least five more bytes wherever a chunk's line is due ("0\r\n\r\n"), so put() holds
// fewer back: it then takes nothing and says need_more, as Beast does for an unfinished line.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace minik {

template <bool is_request>
class BeastParser : public boost::beast::http::basic_parser<is_request> {
 public:
  using Base = boost::beast::http::basic_parser<is_request>;
  using Text = boost::beast::string_view;
  using ErrorCode = boost::system::error_code;

  // How many of the bytes were taken; the caller gives the others again with what follows them.
  size_t feed(std::string_view bytes, ErrorCode& error) {
    const bool at_chunk_line = this->is_header_done() && this->chunked() && chunk_left_ == 0;
    if (at_chunk_line && bytes.size() < kLastChunkBytes) {
      error = boost::beast::http::error::need_more;
      return 0;
    }
    return this->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  }

 protected:
  static constexpr size_t kLastChunkBytes = 5;

  static std::string_view view(Text text) { return {text.data(), text.size()}; }
  virtual void on_body_bytes(std::string_view bytes) = 0;

  void on_request_impl(boost::beast::http::verb, Text, Text, int, ErrorCode&) override {}
  void on_response_impl(int, Text, int, ErrorCode&) override {}
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  void on_finish_impl(ErrorCode&) override {}

 private:
  std::size_t on_body_impl(Text bytes, ErrorCode&) override {
    on_body_bytes(view(bytes));
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t size, Text, ErrorCode&) override { chunk_left_ = size; }
  std::size_t on_chunk_body_impl(std::uint64_t, Text bytes, ErrorCode&) override {
    chunk_left_ -= bytes.size();
    on_body_bytes(view(bytes));
    return bytes.size();
  }

  uint64_t chunk_left_ = 0;
};

}  // namespace minik
