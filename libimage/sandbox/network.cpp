#include "libimage/sandbox/network.h"

#include <array>
#include <charconv>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/loopback.h"
#include "libimage/sandbox/tied_program.h"

namespace lade::sandbox {
namespace {

constexpr std::chrono::seconds kPatience{10};  // for the helper to come up: usually 20 ms
constexpr std::chrono::milliseconds kPause{5};
constexpr std::uint64_t kMaxTableBytes = std::uint64_t{1} << 20U;
constexpr std::size_t kMaxWords = 2048;  // of what the helper printed

/// Executes `body` on a thread of its own, whose namespaces nobody else has; rethrows.
void on_own_thread(const std::function<void()>& body) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      body();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

UniqueFd own_namespace() {
  UniqueFd file(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("open network namespace");
  return file;
}

void enter(int network) {
  if (::setns(network, CLONE_NEWNET) != 0) throw_errno("enter network namespace");
}

std::optional<std::uint32_t> hex_number(std::string_view text) {
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  if (text.size() != 8 || std::from_chars(text.data(), end, value, 16).ptr != end)
    return std::nullopt;
  return value;
}

/// The gateway of the default route in this thread's namespace, as the kernel writes it (network
/// byte order in memory); nullopt if there is none.
std::optional<std::uint32_t> default_gateway() {
  const std::string table = read_file("/proc/thread-self/net/route", kMaxTableBytes);
  for (const std::string_view line : split(table, '\n')) {
    const auto fields = split(line, '\t');
    if (fields.size() < 8 || fields[1] != "00000000" || fields[7] != "00000000") continue;
    if (const auto gateway = hex_number(fields[2]); gateway && *gateway != 0) return gateway;
  }
  return std::nullopt;
}

std::string address_text(std::uint32_t network_order) {
  std::array<char, INET_ADDRSTRLEN> text{};
  const in_addr address{network_order};
  return ::inet_ntop(AF_INET, &address, text.data(), text.size()) != nullptr ? text.data() : "";
}

std::vector<std::string> arguments_of(const NetworkChoice& choice, const std::string& path) {
  std::vector<std::string> out = {choice.program};
  if (choice.helper == NetworkHelper::slirp4netns) {
    out.insert(out.end(), {"--configure", "--netns-type=path", "--enable-sandbox"});
    out.insert(out.end(), choice.flags.begin(), choice.flags.end());
    out.insert(out.end(), {path, "tap0"});
    return out;
  }
  out.insert(out.end(), {"--config-net", "--foreground", "--stderr", "--quiet", "-t", "none", "-u",
                         "none", "-T", "none", "-U", "none", "--dns-forward", kPastaNameServer});
  out.insert(out.end(), choice.flags.begin(), choice.flags.end());
  out.insert(out.end(), {"--netns", path});
  return out;
}

/// What the helper printed, its end.
std::string words_of(int output) {
  std::string text(kMaxWords, '\0');
  const off_t size = ::lseek(output, 0, SEEK_END);
  const off_t begin = std::max<off_t>(0, size - static_cast<off_t>(kMaxWords));
  const ssize_t got = ::pread(output, text.data(), text.size(), begin);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return printable(trimmed(text));
}

}  // namespace

std::string_view name_of(NetworkKind kind) noexcept {
  constexpr std::array<std::string_view, 4> names = {"host", "none", "private", "ns"};
  return names.at(static_cast<std::size_t>(kind));
}

struct Network::Made {
  std::mutex mutex;
  UniqueFd place;               // guarded by mutex until set: the namespace
  TiedProgram helper;           // guarded by mutex
  std::string gateway;          // guarded by mutex
  bool has_gateway = false;     // looked for; guarded by mutex
  std::optional<Error> failed;  // guarded by mutex

  [[nodiscard]] std::string path() const { return cat("/proc/", ::getpid(), "/fd/", place.get()); }
  void make(const NetworkChoice& choice);
  void connect(const NetworkChoice& choice);
  void find_gateway();
};

/// Starts the helper, which stays in the machine's namespace, and waits for the route that it makes
/// last.
void Network::Made::connect(const NetworkChoice& choice) {
  const UniqueFd output(::memfd_create("network", MFD_CLOEXEC));
  if (!output) throw_errno("create memory file");
  helper = TiedProgram::start(arguments_of(choice, path()), output.get());
  const auto end = std::chrono::steady_clock::now() + kPatience;
  on_own_thread([&] {
    enter(place.get());
    while (!default_gateway() && !helper.has_ended() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(kPause);
    if (default_gateway()) return;
    const std::string words = words_of(output.get());
    throw Error(
        Errc::unavailable,
        cat("network private: ", choice.helper == NetworkHelper::pasta ? "pasta" : "slirp4netns",
            helper.has_ended() ? " ended" : " made no route in 10 s", words.empty() ? "" : ": ",
            words));
  });
}

void Network::Made::make(const NetworkChoice& choice) {
  if (failed) throw *failed;
  if (place) return;
  if (choice.kind == NetworkKind::joined) {
    place = UniqueFd(::open(choice.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!place) throw_errno(cat("open network namespace ", quoted(choice.path)));
    return;
  }
  try {
    on_own_thread([&] {
      if (::unshare(CLONE_NEWNET) != 0) throw_errno("create network namespace");
      bring_loopback_up();
      place = own_namespace();
    });
    if (!choice.program.empty()) connect(choice);
  } catch (const Error& e) {
    helper = TiedProgram();
    place.reset();
    failed.emplace(e);
    throw;
  }
}

void Network::Made::find_gateway() {
  if (has_gateway) return;
  on_own_thread([&] {
    enter(place.get());
    if (const auto found = default_gateway()) gateway = address_text(*found);
  });
  has_gateway = true;
}

Network::Network(NetworkChoice choice)
    : choice_(std::move(choice)), made_(std::make_unique<Made>()) {}

Network::~Network() = default;

void Network::give_to(RuntimeConfig& step) {
  if (choice_.kind == NetworkKind::host) {
    step.namespaces.erase(Namespace::network);
  } else if (choice_.kind == NetworkKind::none) {
    step.namespaces[Namespace::network].clear();
  } else {
    const std::scoped_lock lock(made_->mutex);
    made_->make(choice_);
    step.namespaces[Namespace::network] = made_->path();
  }
}

std::string Network::gateway() {
  if (choice_.kind == NetworkKind::host) return "127.0.0.1";
  if (choice_.kind == NetworkKind::none) return {};
  const std::scoped_lock lock(made_->mutex);
  made_->make(choice_);
  made_->find_gateway();
  return made_->gateway;
}

std::string Network::name_server() {
  if (choice_.kind != NetworkKind::own || choice_.program.empty()) return {};
  if (choice_.helper == NetworkHelper::pasta) return kPastaNameServer;
  in_addr address{};
  if (::inet_pton(AF_INET, gateway().c_str(), &address) != 1) return {};
  return address_text(htonl(ntohl(address.s_addr) + 1));  // slirp4netns(1): the next one
}

}  // namespace lade::sandbox
