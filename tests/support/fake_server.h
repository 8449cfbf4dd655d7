/// A small HTTP/1.1 server on a free port of 127.0.0.1, for tests: a thread for each connection,
/// one handler for all requests, and every way to misbehave.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "libimage/base/unique_fd.h"

namespace lade::test {

using FakeHeaders = std::vector<std::pair<std::string, std::string>>;

class FakeConnection;

/// A request whose headers are read; the body comes when asked for.
struct FakeRequest {
  std::string method;
  std::string target;                                     ///< as on the request line
  std::string path;                                       ///< percent-decoded
  std::map<std::string, std::vector<std::string>> query;  ///< decoded
  std::map<std::string, std::string> headers;             ///< lower-case names, the last wins
  std::string body;                                       ///< after FakeConnection::read_body()
  std::uint16_t port = 0;                                 ///< of the server that was asked

  [[nodiscard]] std::string header(const std::string& name) const;
  [[nodiscard]] std::string parameter(const std::string& name) const;
};

/// The server's side of one connection, for a handler.
class FakeConnection {
 public:
  explicit FakeConnection(int fd) : fd_(fd) {}

  /// Sends "100 Continue" where the client waits for it, and fills request.body. False if the
  /// client went away.
  bool read_body(FakeRequest& request);
  /// Lets the client send, and reads `count` bytes of what comes, framing included.
  bool read_some(const FakeRequest& request, std::size_t count);
  /// A whole answer; HEAD gets its headers only.
  void respond(const FakeRequest& request, int status, const FakeHeaders& headers = {},
               std::string_view body = {});
  /// Bytes as they are; false if the client went away.
  bool send(std::string_view bytes);
  /// The client sees a reset; what was sent may be lost.
  void reset();
  /// Says nothing more until the client goes away or the server ends.
  void hang();
  /// No more requests after this answer.
  void close() { open_ = false; }
  [[nodiscard]] bool open() const noexcept { return open_; }
  [[nodiscard]] bool was_reset() const noexcept { return reset_; }

 private:
  friend class FakeServer;
  bool read_request(FakeRequest& request);
  bool fill();
  bool read_line(std::string& line);
  bool read_bytes(std::string& out, std::size_t count);
  int fd_;
  std::string buffer_;
  bool open_ = true;
  bool body_read_ = false;
  bool reset_ = false;
};

class FakeServer {
 public:
  using Handler = std::function<void(FakeRequest&, FakeConnection&)>;
  explicit FakeServer(Handler handler);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// "127.0.0.1:PORT"
  [[nodiscard]] std::string authority() const;
  /// "http://127.0.0.1:PORT"
  [[nodiscard]] std::string url() const;
  /// Every request so far, without bodies.
  [[nodiscard]] std::vector<FakeRequest> requests() const;
  [[nodiscard]] std::size_t connections() const noexcept { return connections_; }
  /// True once the server is being destroyed: endless handlers must end.
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }
  /// Ends everything; called by an owner whose handler uses members that die first.
  void stop();

 private:
  struct Peer {
    UniqueFd fd;
    std::thread thread;
  };
  void accept_all();
  void serve(Peer& peer);

  Handler handler_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> connections_{0};
  mutable std::mutex mutex_;
  std::list<Peer> peers_;              // guarded by mutex_
  std::vector<FakeRequest> requests_;  // guarded by mutex_
  std::thread acceptor_;
};

}  // namespace lade::test
