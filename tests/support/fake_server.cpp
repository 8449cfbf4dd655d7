#include "fake_server.h"

#include <algorithm>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::test {
namespace {

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out +=
          static_cast<char>(std::strtol(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

void parse_target(FakeRequest& request) {
  const std::string_view target = request.target;
  const auto question = target.find('?');
  request.path = decoded(target.substr(0, question));
  if (question == std::string_view::npos) return;
  for (const std::string_view pair : split(target.substr(question + 1), '&')) {
    const auto equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    request.query[decoded(pair.substr(0, equals))].push_back(decoded(value));
  }
}

}  // namespace

std::string FakeRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::string FakeRequest::parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second.front();
}

bool FakeConnection::fill() {
  char chunk[65536];
  const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
  if (got <= 0) return false;
  buffer_.append(chunk, static_cast<std::size_t>(got));
  return true;
}

bool FakeConnection::read_line(std::string& line) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!fill()) return false;
  }
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return true;
}

bool FakeConnection::read_bytes(std::string& out, std::size_t count) {
  while (count > 0) {
    if (buffer_.empty() && !fill()) return false;
    const std::size_t taken = std::min(count, buffer_.size());
    out.append(buffer_, 0, taken);
    buffer_.erase(0, taken);
    count -= taken;
  }
  return true;
}

bool FakeConnection::read_request(FakeRequest& request) {
  std::string line;
  if (buffer_.empty() && !fill()) return false;
  if (buffer_[0] == '\x16') {  // a TLS handshake: answered as real servers do
    send("HTTP/1.0 400 Bad Request\r\n\r\n");
    return false;
  }
  if (!read_line(line)) return false;
  const auto words = split(line, ' ');
  if (words.size() != 3) return false;
  request.method = words[0];
  request.target = words[1];
  parse_target(request);
  while (read_line(line) && !line.empty()) {
    const auto colon = line.find(':');
    request.headers[lower_case(line.substr(0, colon))] =
        std::string(trimmed(std::string_view(line).substr(colon + 1)));
  }
  body_read_ = false;
  return true;
}

bool FakeConnection::read_body(FakeRequest& request) {
  if (body_read_) return true;
  body_read_ = true;
  if (lower_case(request.header("expect")) == "100-continue" &&
      !send("HTTP/1.1 100 Continue\r\n\r\n")) {
    return false;
  }
  if (lower_case(request.header("transfer-encoding")) != "chunked") {
    return read_bytes(request.body, parse_decimal(request.header("content-length")).value_or(0));
  }
  for (std::string line; read_line(line);) {
    const auto size = static_cast<std::size_t>(std::strtoull(line.c_str(), nullptr, 16));
    if (!read_bytes(request.body, size) || !read_line(line)) return false;
    if (size == 0) return true;
  }
  return false;
}

bool FakeConnection::read_some(const FakeRequest& request, std::size_t count) {
  std::string dropped;
  const bool asks = lower_case(request.header("expect")) == "100-continue";
  return (!asks || send("HTTP/1.1 100 Continue\r\n\r\n")) && read_bytes(dropped, count);
}

void FakeConnection::respond(const FakeRequest& request, int status, const FakeHeaders& headers,
                             std::string_view body) {
  std::string head = cat("HTTP/1.1 ", status, " Status\r\n");
  bool length = false;
  for (const auto& [name, value] : headers) {
    head += cat(name, ": ", value, "\r\n");
    length = length || lower_case(name) == "content-length";
  }
  if (!length && status != 204) head += cat("Content-Length: ", body.size(), "\r\n");
  const bool pending = !body_read_ && (!request.header("content-length").empty() ||
                                       !request.header("transfer-encoding").empty());
  // An unread body leaves the stream in a state that no further request can follow.
  if (pending && request.header("content-length") != "0") {
    open_ = false;
    head += "Connection: close\r\n";
  }
  head += "\r\n";
  if (request.method != "HEAD" && status != 204) head += body;
  send(head);
}

bool FakeConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      open_ = false;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void FakeConnection::hang() {
  while (fill()) buffer_.clear();
  open_ = false;
}

void FakeConnection::reset() {
  const linger abrupt{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
  reset_ = true;
  open_ = false;
}

FakeServer::FakeServer(Handler handler)
    : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 128) != 0 ||
      ::getsockname(listener_.get(), generic, &size) != 0) {
    throw_errno("start a test server");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeServer::~FakeServer() { stop(); }

void FakeServer::stop() {
  if (stopping_.exchange(true)) return;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  std::list<Peer> peers;  // joined without the lock, which their threads take
  {
    const std::scoped_lock lock(mutex_);
    for (const Peer& peer : peers_) ::shutdown(peer.fd.get(), SHUT_RDWR);
    peers.splice(peers.begin(), peers_);
  }
  for (Peer& peer : peers) peer.thread.join();
}

std::string FakeServer::authority() const { return cat("127.0.0.1:", port_); }
std::string FakeServer::url() const { return cat("http://", authority()); }

std::vector<FakeRequest> FakeServer::requests() const {
  const std::scoped_lock lock(mutex_);
  return requests_;
}

void FakeServer::accept_all() {
  while (!stopping_) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    ++connections_;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::scoped_lock lock(mutex_);
    Peer& peer = peers_.emplace_back(Peer{.fd = std::move(fd), .thread = {}});
    peer.thread = std::thread([this, &peer] { serve(peer); });
  }
}

void FakeServer::serve(Peer& peer) {
  int fd = -1;
  {
    const std::scoped_lock lock(mutex_);
    fd = peer.fd.get();
  }
  FakeConnection connection(fd);
  while (connection.open() && !stopping_) {
    FakeRequest request;
    request.port = port_;
    if (!connection.read_request(request)) break;
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(request);
    }
    handler_(request, connection);
  }
  const std::scoped_lock lock(mutex_);
  if (!connection.was_reset()) ::shutdown(fd, SHUT_RDWR);
  peer.fd.reset();
}

}  // namespace lade::test
