// The server behind the end-to-end test of probes, one static program in an image of its own: HTTPS on 8443 with a
// certificate that nobody trusts, the gRPC health service on 9000, plain HTTP on 8080.
//
//   /healthz  200            /moved    302 to /healthz        /away   302 to another host
//   /down     the health service and /healthz answer 503 and NOT_SERVING from now on
//   /log      what has been asked so far, a line each
// The gRPC service "" and "shop" are known, others not.
#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace {

std::atomic<bool> healthy = true;
std::mutex log_mutex;
std::string asked;  // under log_mutex

void note(const std::string& line) {
  const std::lock_guard lock(log_mutex);
  asked += line + "\n";
}

std::string response(std::string_view status, std::string_view headers, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(headers) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string answer(const std::string& request, std::string_view scheme) {
  const std::string path = request.substr(4, request.find(' ', 4) - 4);
  const size_t at = request.find("User-Agent: ");
  const std::string agent = at == std::string::npos ? "-" : request.substr(at + 12, request.find('\r', at) - at - 12);
  if (path != "/log") note(std::string(scheme) + " " + path + " " + agent);
  if (path == "/moved") return response("302 Found", "Location: /healthz\r\n", "");
  if (path == "/away") return response("302 Found", "Location: https://login.test/\r\n", "please log in");
  if (path == "/down") healthy = false;
  const std::lock_guard lock(log_mutex);
  if (path == "/log") return response("200 OK", "", asked);
  return healthy ? response("200 OK", "", "ok") : response("503 Service Unavailable", "", "down");
}

int listen_at(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || listen(fd, 64) != 0) _exit(1);
  return fd;
}

template <typename Serve>
void serve_at(uint16_t port, Serve serve) {
  const int listener = listen_at(port);
  while (true) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) continue;
    std::thread([fd, serve] {
      serve(fd);
      close(fd);
    }).detach();
  }
}

template <typename Read, typename Write>
void speak_http(std::string_view scheme, Read read, Write write) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const auto n = read(buffer, sizeof buffer);
    if (n <= 0) return;
    request.append(buffer, static_cast<size_t>(n));
    if (!request.starts_with("GET ")) return write(response("400 Bad Request", "", "no GET"));
  }
  write(answer(request, scheme));
}

void speak_plain_http(int fd) {
  speak_http("http", [fd](char* out, size_t size) { return recv(fd, out, size, 0); },
             [fd](const std::string& bytes) { (void)!send(fd, bytes.data(), bytes.size(), 0); });
}

SSL_CTX* tls_context() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate), -3600);  // expired, and its own authority
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate(context, certificate) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1) _exit(2);
  return context;
}

void speak_https(SSL_CTX* context, int fd) {
  SSL* tls = SSL_new(context);
  SSL_set_fd(tls, fd);
  if (SSL_accept(tls) == 1) {
    speak_http("https", [tls](char* out, size_t size) { return SSL_read(tls, out, static_cast<int>(size)); },
               [tls](const std::string& bytes) { SSL_write(tls, bytes.data(), static_cast<int>(bytes.size())); });
  }
  SSL_free(tls);
}

// ---- gRPC ----

struct Call {
  std::string request, message;
  size_t sent = 0;
};

nghttp2_nv field(const char* name, const char* value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name)), reinterpret_cast<uint8_t*>(const_cast<char*>(value)), strlen(name), strlen(value),
          NGHTTP2_NV_FLAG_NONE};
}

ssize_t send_message(nghttp2_session* session, int32_t stream, uint8_t* out, size_t size, uint32_t* flags, nghttp2_data_source*, void* user) {
  auto& call = *static_cast<Call*>(user);
  const size_t taken = std::min(size, call.message.size() - call.sent);
  std::memcpy(out, call.message.data() + call.sent, taken);
  call.sent += taken;
  if (call.sent == call.message.size()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const nghttp2_nv trailer = field("grpc-status", "0");
    nghttp2_submit_trailer(session, stream, &trailer, 1);
  }
  return static_cast<ssize_t>(taken);
}

int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 || (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)) return 0;
  auto& call = *static_cast<Call*>(user);
  // Behind the frame's five bytes: nothing, or field 1 with its length.
  const std::string service = call.request.size() > 7 ? call.request.substr(7) : "";
  note("grpc " + service);
  if (!service.empty() && service != "shop") {
    const nghttp2_nv refused[] = {field(":status", "200"), field("content-type", "application/grpc"), field("grpc-status", "5"),
                                  field("grpc-message", "unknown service")};
    return nghttp2_submit_response(session, frame->hd.stream_id, refused, 4, nullptr);
  }
  call.message = std::string("\0\0\0\0\2\x08", 6) + (healthy ? '\x01' : '\x02');
  const nghttp2_nv head[] = {field(":status", "200"), field("content-type", "application/grpc")};
  nghttp2_data_provider body{};
  body.read_callback = send_message;
  return nghttp2_submit_response(session, frame->hd.stream_id, head, 2, &body);
}

int on_data(nghttp2_session*, uint8_t, int32_t, const uint8_t* bytes, size_t size, void* user) {
  static_cast<Call*>(user)->request.append(reinterpret_cast<const char*>(bytes), size);
  return 0;
}

void speak_grpc(int fd) {
  Call call;
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session* session = nullptr;
  nghttp2_session_server_new(&session, callbacks, &call);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  char buffer[4096];
  bool open = true;
  while (open) {
    const uint8_t* bytes = nullptr;
    for (ssize_t n = 0; (n = nghttp2_session_mem_send(session, &bytes)) > 0;) (void)!send(fd, bytes, static_cast<size_t>(n), MSG_NOSIGNAL);
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    open = n > 0 && nghttp2_session_mem_recv(session, reinterpret_cast<const uint8_t*>(buffer), static_cast<size_t>(n)) >= 0;
  }
  nghttp2_session_del(session);
}

}  // namespace

int main() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, [](int) { _exit(0); });
  SSL_CTX* context = tls_context();
  std::thread([context] { serve_at(8443, [context](int fd) { speak_https(context, fd); }); }).detach();
  std::thread([] { serve_at(9000, speak_grpc); }).detach();
  serve_at(8080, speak_plain_http);
}
