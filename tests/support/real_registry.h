/// Debian's docker-registry on a free loopback port, its files in a temporary directory, for as
/// long as the object lives.
#pragma once
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "libimage/base/text.h"
#include "libimage/base/unique_fd.h"
#include "libimage/io/path.h"

namespace lade::testing {

struct CommandResult {
  int status = -1;
  std::string output;  ///< both streams
};

/// Runs a shell command.
inline CommandResult run_shell(const std::string& command) {
  CommandResult result;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  char chunk[4096];
  while (const std::size_t got = std::fread(chunk, 1, sizeof chunk, pipe)) {
    result.output.append(chunk, got);
  }
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

struct RealRegistryOptions {
  bool tls = false;    ///< with a certificate of its own CA
  bool login = false;  ///< user "user", password "secret"
};

class RealRegistry {
 public:
  explicit RealRegistry(RealRegistryOptions options = {}) : port_(free_port()) {
    if (options.tls) make_certificate();
    if (options.login) make_password();
    write_configuration(options);
    start();
    wait_until_it_listens();
  }
  ~RealRegistry() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
  }
  RealRegistry(const RealRegistry&) = delete;
  RealRegistry& operator=(const RealRegistry&) = delete;

  /// "127.0.0.1:PORT"
  [[nodiscard]] std::string name() const { return cat("127.0.0.1:", port_); }
  /// A certs.d-like directory that makes the registry trusted.
  [[nodiscard]] std::string cert_dir() const { return cat(room_.path(), "/certs"); }

 private:
  static std::uint16_t free_port() {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (::bind(fd.get(), generic, size) != 0 || ::getsockname(fd.get(), generic, &size) != 0) {
      throw std::runtime_error("no free port");
    }
    return ntohs(address.sin_port);
  }

  static void require(const std::string& command) {
    const CommandResult result = run_shell(command);
    if (result.status != 0) throw std::runtime_error(command + "\n" + result.output);
  }

  void make_certificate() {
    require(cat("mkdir ", cert_dir(), " && cd ", cert_dir(),
                " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
                " -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
                " -keyout ../server.key -out ca.crt"));
  }

  void make_password() {
    require(cat("htpasswd -Bbn -C 4 user secret > ", room_.path(), "/passwords"));
  }

  void write_configuration(const RealRegistryOptions& options) {
    std::ofstream out(cat(room_.path(), "/config.yml"));
    out << "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        << "storage: {filesystem: {rootdirectory: " << room_.path()
        << "/data}, delete: {enabled: true}}\n"
        << "http:\n  addr: " << name() << "\n";
    if (options.tls) {
      out << "  tls: {certificate: " << cert_dir() << "/ca.crt, key: " << room_.path()
          << "/server.key}\n";
    }
    if (options.login) {
      out << "auth: {htpasswd: {realm: test, path: " << room_.path() << "/passwords}}\n";
    }
  }

  void start() {
    const std::string log = cat(room_.path(), "/log");
    std::string words[] = {"docker-registry", "serve", cat(room_.path(), "/config.yml")};
    char* const arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT, 0600);
    ::posix_spawn_file_actions_adddup2(&files, 1, 2);
    const int failed = ::posix_spawnp(&pid_, words[0].c_str(), &files, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (failed != 0) throw std::runtime_error("docker-registry cannot be started");
  }

  void wait_until_it_listens() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 3000; ++i) {
      const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("docker-registry does not listen");
  }

  TempDir room_{"/tmp"};
  std::uint16_t port_;
  pid_t pid_ = -1;
};

}  // namespace lade::testing
