// What servers and networks do wrong, one case each.
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/unique_fd.h"
#include "libimage/http/http_client.h"

#include "fake_server.h"

namespace lade {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;

struct Client {
  std::vector<std::chrono::milliseconds> waits;
  HttpClient http;
  /// A server that does nothing is given up after `low_speed`: soon only where a test waits for it.
  explicit Client(std::chrono::milliseconds low_speed = std::chrono::milliseconds(30'000))
      : http(options(low_speed)) {}
  HttpOptions options(std::chrono::milliseconds low_speed) {
    HttpOptions result;
    result.low_speed_time = low_speed;
    result.retry.sleep = [this](std::chrono::milliseconds wait, const std::stop_token&) {
      waits.push_back(wait);
      return true;
    };
    return result;
  }
};

Url at(const FakeServer& server, std::string_view path = "/") {
  return Url::parse(cat(server.url(), path));
}

Errc code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.code();
  }
  return Errc::internal;
}

std::string text_of(Response response) { return read_all(*response.body, 1 << 20, "body"); }

TEST(HttpFaults, TriesAResetConnectionAgain) {
  std::atomic<int> count{0};
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    if (++count < 4) return connection.reset();
    connection.respond(request, 200, {}, "ok");
  });
  Client client;
  EXPECT_EQ(text_of(client.http.send({.url = at(server)})), "ok");
  EXPECT_EQ(count, 4);
}

TEST(HttpFaults, GivesUpAfterFiveResets) {
  std::atomic<int> count{0};
  FakeServer server([&](FakeRequest&, FakeConnection& connection) {
    ++count;
    connection.reset();
  });
  Client client;
  EXPECT_EQ(code_of([&] { (void)client.http.send({.url = at(server)}); }), Errc::unavailable);
  EXPECT_EQ(count, 5);
}

TEST(HttpFaults, RepeatsTheBodyWithTheRequest) {
  std::vector<std::string> bodies;
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    connection.read_body(request);
    bodies.push_back(request.body);
    connection.respond(request, bodies.size() < 3 ? 503 : 201);
  });
  Client client;
  EXPECT_EQ(
      client.http.send({.method = "PUT", .url = at(server), .body = RequestBody::of("abc")}).status,
      201);
  EXPECT_EQ(bodies, (std::vector<std::string>{"abc", "abc", "abc"}));
}

TEST(HttpFaults, ReturnsTheLastOfMany503s) {
  std::atomic<int> count{0};
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 503, {}, cat("number ", ++count));
  });
  Client client;
  Response response = client.http.send({.url = at(server)});
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(text_of(std::move(response)), "number 5");
  EXPECT_EQ(client.waits.size(), 4U);
}

TEST(HttpFaults, DoesNotRetryWhatCannotGetBetter) {
  for (const int status : {400, 401, 403, 404, 405, 410, 416, 501}) {
    std::atomic<int> count{0};
    FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
      ++count;
      connection.respond(request, status);
    });
    Client client;
    EXPECT_EQ(client.http.send({.url = at(server)}).status, status);
    EXPECT_EQ(count, 1) << status;
  }
}

TEST(HttpFaults, CapsRetryAfterAtAMinute) {
  std::atomic<int> count{0};
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, ++count == 1 ? 429 : 200, {{"Retry-After", "86400"}});
  });
  Client client;
  (void)client.http.send({.url = at(server)});
  ASSERT_FALSE(client.waits.empty());
  EXPECT_LE(client.waits[0], std::chrono::seconds(60));
  EXPECT_GT(client.waits[0], std::chrono::seconds(58));
}

TEST(HttpFaults, WaitsOnForWhoAsksForLessButNotForEver) {
  for (const char* retry_after : {"0", "1", "30", "Wed, 21 Oct 2015 07:28:00 GMT"}) {
    std::atomic<int> count{0};
    FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
      connection.respond(request, ++count % 2 == 0 ? 429 : 503, {{"Retry-After", retry_after}});
    });
    Client client;
    const int status = client.http.send({.url = at(server)}).status;
    EXPECT_TRUE(status == 429 || status == 503);
    EXPECT_GT(count, 8) << retry_after;
    EXPECT_LT(count, 600) << retry_after;
  }
}

TEST(HttpFaults, SaysThatABodyWasCut) {
  FakeServer server([](FakeRequest&, FakeConnection& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    connection.close();
  });
  Client client;
  Response response = client.http.send({.url = at(server)});
  std::string seen;
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(code_of([&] {
              while (const std::size_t got = response.body->read(buffer)) {
                seen += chars_of(std::span(buffer).first(got));
              }
            }),
            Errc::unavailable);
  EXPECT_EQ(seen, "half");  // what came is not lost
}

TEST(HttpFaults, SaysThatAChunkedBodyWasCut) {
  FakeServer server([](FakeRequest&, FakeConnection& connection) {
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    connection.close();
  });
  Client client;
  EXPECT_EQ(code_of([&] { text_of(client.http.send({.url = at(server)})); }), Errc::unavailable);
}

TEST(HttpFaults, DropsAStalledBody) {
  FakeServer server([](FakeRequest&, FakeConnection& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    connection.hang();
  });
  Client client(std::chrono::milliseconds(200));
  try {
    text_of(client.http.send({.url = at(server)}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::unavailable);
    EXPECT_NE(std::string(e.what()).find("stalled"), std::string::npos) << e.what();
  }
}

TEST(HttpFaults, DropsAnAnswerThatNeverComes) {
  FakeServer server([](FakeRequest&, FakeConnection& connection) { connection.hang(); });
  Client client(std::chrono::milliseconds(200));
  EXPECT_EQ(code_of([&] { (void)client.http.send({.url = at(server), .attempts = 1}); }),
            Errc::unavailable);
}

TEST(HttpFaults, DropsABodyThatDrips) {
  FakeServer server([](FakeRequest&, FakeConnection& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (connection.send("x")) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  Client client(std::chrono::milliseconds(200));
  EXPECT_EQ(code_of([&] { text_of(client.http.send({.url = at(server)})); }), Errc::unavailable);
}

TEST(HttpFaults, DoesNotBlameTheServerForASlowReader) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, {}, std::string(20 << 20, 'x'));
  });
  Client client(std::chrono::milliseconds(700));
  Response response = client.http.send({.url = at(server)});
  std::vector<std::byte> piece(1 << 20);
  EXPECT_EQ(read_full(*response.body, piece), piece.size());
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // twice low_speed_time
  EXPECT_EQ(drain(*response.body), std::uint64_t{19} << 20);
}

TEST(HttpFaults, DoesNotBlameTheServerForASlowWriter) {
  std::atomic<std::size_t> size{0};
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    connection.read_body(request);
    size = request.body.size();
    connection.respond(request, 202);
  });
  Client client(std::chrono::milliseconds(700));
  const auto exchange = client.http.start({.method = "PATCH", .url = at(server)}, std::nullopt);
  exchange->write(bytes_of("abc"));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  exchange->write(bytes_of("def"));
  exchange->finish();
  EXPECT_EQ(exchange->response().status, 202);
  EXPECT_EQ(size, 6U);
}

TEST(HttpFaults, LimitsHeaders) {
  for (const bool one_line : {true, false}) {
    FakeServer server([&](FakeRequest&, FakeConnection& connection) {
      connection.send("HTTP/1.1 200 OK\r\n");
      const std::string line = cat("X: ", std::string(one_line ? 90'000 : 100, 'x'), "\r\n");
      for (int i = 0; i < 1000; ++i) {
        if (!connection.send(line)) return;
      }
      connection.send("\r\n");
    });
    Client client;
    EXPECT_EQ(code_of([&] { (void)client.http.send({.url = at(server)}); }), Errc::limit_exceeded);
    EXPECT_EQ(client.waits.size(), 0U);
  }
}

TEST(HttpFaults, LimitsRedirects) {
  std::atomic<int> count{0};
  FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 302, {{"Location", cat("/", ++count)}});
  });
  Client client;
  EXPECT_EQ(code_of([&] { (void)client.http.send({.url = at(server)}); }), Errc::limit_exceeded);
  EXPECT_EQ(count, 6);
}

TEST(HttpFaults, RefusesRedirectsToOtherSchemes) {
  for (const char* target : {"file:///etc/passwd", "ftp://127.0.0.1/", "http://\x01/", "//"}) {
    FakeServer server([&](FakeRequest& request, FakeConnection& connection) {
      connection.respond(request, 302, {{"Location", target}});
    });
    Client client;
    EXPECT_EQ(code_of([&] { (void)client.http.send({.url = at(server)}); }), Errc::invalid_content)
        << target;
  }
}

TEST(HttpFaults, SurvivesAnswersThatAreNotHttp) {
  for (const char* answer : {"SSH-2.0-OpenSSH\r\n", "\x16\x03\x01", "", "HTTP/1.1 banana\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"}) {
    FakeServer server([&](FakeRequest&, FakeConnection& connection) {
      connection.send(answer);
      connection.close();
    });
    Client client;
    EXPECT_THROW(text_of(client.http.send({.url = at(server), .attempts = 1})), Error) << answer;
  }
}

TEST(HttpFaults, SkipsInterimAnswers) {
  FakeServer server([](FakeRequest& request, FakeConnection& connection) {
    connection.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    connection.respond(request, 200, {}, "ok");
  });
  Client client;
  Response response = client.http.send({.url = at(server)});
  EXPECT_EQ(response.status, 200);
  EXPECT_FALSE(response.headers.first("link"));
  EXPECT_EQ(text_of(std::move(response)), "ok");
}

std::uint16_t free_port() {
  const FakeServer server([](FakeRequest&, FakeConnection&) {});
  return server.port();
}

TEST(HttpFaults, TriesOnlyOnceMoreWhereNobodyEverListened) {
  Client client;
  try {
    (void)client.http.send({.url = Url::parse(cat("http://127.0.0.1:", free_port(), "/"))});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::unavailable);
    EXPECT_TRUE(e.is_final());
  }
  EXPECT_EQ(client.waits.size(), 1U);
}

/// A port whose queue of connections is full, so that the next one waits for ever.
class FullPort {
 public:
  FullPort() : listener_(socket_with_port()) {
    ::listen(listener_.get(), 0);
    for (UniqueFd& waiting : waiting_) {
      waiting = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(waiting.get(), address(), sizeof address_);
    }
  }
  [[nodiscard]] std::uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  sockaddr* address() { return reinterpret_cast<sockaddr*>(&address_); }
  UniqueFd socket_with_port() {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    if (::bind(fd.get(), address(), size) != 0) throw_errno("bind");
    if (::getsockname(fd.get(), address(), &size) != 0) throw_errno("getsockname");
    return fd;
  }
  sockaddr_in address_{};
  UniqueFd listener_;
  std::array<UniqueFd, 4> waiting_;
};

TEST(HttpFaults, TriesOnlyOnceMoreWhereNobodyPicksUp) {
  const FullPort port;
  Client client;
  HttpOptions options = client.options(std::chrono::milliseconds(30'000));
  options.connect_timeout = std::chrono::milliseconds(50);
  HttpClient http(options);
  EXPECT_EQ(code_of([&] {
              (void)http.send({.url = Url::parse(cat("http://127.0.0.1:", port.port(), "/"))});
            }),
            Errc::unavailable);
  EXPECT_EQ(client.waits.size(), 1U);
}

TEST(HttpFaults, SaysThatAServerMaySpeakNoTls) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), generic, size), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ASSERT_EQ(::getsockname(listener.get(), generic, &size), 0);
  std::jthread server([&] {
    for (;;) {
      const UniqueFd peer(::accept(listener.get(), nullptr, nullptr));
      if (!peer) return;
      char hello[4096];
      (void)::recv(peer.get(), hello, sizeof hello, 0);
      (void)::send(peer.get(), "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL);
    }
  });
  Client client;
  const Url url = Url::parse(cat("https://127.0.0.1:", ntohs(address.sin_port), "/"));
  try {
    (void)client.http.send({.url = url});
    ADD_FAILURE() << "it answered";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::unavailable);
    EXPECT_NE(std::string(e.what()).find("(perhaps it speaks no TLS)"), std::string::npos)
        << e.what();
  }
  EXPECT_EQ(client.waits.size(), 1U);
  ::shutdown(listener.get(), SHUT_RDWR);
}

TEST(HttpFaults, WaitsForAServerThatWasThereBefore) {
  Client client;
  Url url;
  {
    FakeServer server([](FakeRequest& request, FakeConnection& connection) {
      connection.respond(request, 200, {{"Connection", "close"}}, "ok");
    });
    url = at(server);
    (void)text_of(client.http.send({.url = url}));
  }
  EXPECT_EQ(code_of([&] { (void)client.http.send({.url = url}); }), Errc::unavailable);
  EXPECT_EQ(client.waits.size(), 4U);
}

TEST(HttpFaults, OneAttemptAloneIsNotFinal) {
  Client client;
  try {
    (void)client.http.send(
        {.url = Url::parse(cat("http://127.0.0.1:", free_port(), "/")), .attempts = 1});
    FAIL();
  } catch (const Error& e) {
    EXPECT_FALSE(e.is_final());
  }
}

TEST(HttpFaults, NeverNamesSecretsInMessages) {
  FakeServer server([](FakeRequest&, FakeConnection& connection) { connection.reset(); });
  Client client;
  try {
    (void)client.http.send(
        {.url = at(server, "/p?token=geheim"), .headers = {{"Authorization", "Bearer geheim"}}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find("geheim"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace lade
