/// Errors of the whole program: exceptions with a code to branch on and a message for people.
///
/// A message is lower case, without a full stop, operation first, cause last; each layer of meaning
/// adds its context once, by with_context(). Callers branch on code(), never on text.
#pragma once
#include <concepts>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace lade {

enum class Errc {
  invalid_argument,  ///< the caller's own words are wrong
  invalid_content,   ///< bytes from outside break a format's rules
  not_found,
  already_exists,
  unsupported,  ///< valid, but not implemented: refused, never ignored
  digest_mismatch,
  size_mismatch,
  limit_exceeded,
  unauthorized,
  denied,
  rate_limited,
  unavailable,  ///< may succeed if tried again
  io,
  command_failed,  ///< a build step ended with a status other than 0
  internal,
};

struct ErrnoDetail {
  int value = 0;
  bool operator==(const ErrnoDetail&) const = default;
};
struct HttpDetail {
  int status = 0;
  std::string registry_code = {};  ///< e.g. "MANIFEST_UNKNOWN"; empty if the body had none
  int retry_after_seconds = -1;    ///< from Retry-After; -1 if absent
  bool operator==(const HttpDetail&) const = default;
};
struct ExitDetail {
  int status = 0;  ///< the command's exit status, 128 + n if signal n ended it
  bool operator==(const ExitDetail&) const = default;
};
using ErrorDetail = std::variant<std::monostate, ErrnoDetail, HttpDetail, ExitDetail>;

/// Immutable and cheap to copy (shared state), so that an exception_ptr may be shared by threads.
class Error final : public std::exception {
 public:
  Error(Errc code, std::string message, ErrorDetail detail = {});

  [[nodiscard]] Errc code() const noexcept { return state_->code; }
  [[nodiscard]] const ErrorDetail& detail() const noexcept { return state_->detail; }
  [[nodiscard]] const char* what() const noexcept override { return state_->message.c_str(); }

  /// A copy whose message is "context: message".
  [[nodiscard]] Error in(std::string_view context) const;

  /// A copy that is_final(): what failed has been tried again already, often enough, so that
  /// whoever asked for it need not.
  [[nodiscard]] Error as_final() const;
  [[nodiscard]] bool is_final() const noexcept { return state_->final; }

 private:
  struct State {
    Errc code;
    std::string message;
    ErrorDetail detail;
    bool final = false;
  };
  explicit Error(State state);
  std::shared_ptr<const State> state_;
};

/// The user, or a failed sibling, stopped the work. Not an Error, so that retry code cannot swallow
/// it.
class Cancelled final : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "cancelled"; }
};

/// Throws Error{io or not_found, already_exists, denied by errno}: "operation: reason"; `value`
/// defaults to errno.
[[noreturn]] void throw_errno(std::string_view operation);
[[noreturn]] void throw_errno(std::string_view operation, int value);

/// The text of an errno value, lower case ("no such file or directory"). Thread-safe.
std::string errno_text(int value);

/// Runs `body`; an Error leaves with `describe()` before its message.
template <std::invocable Describe, std::invocable Body>
decltype(auto) with_context(const Describe& describe, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const Error& e) {
    throw e.in(describe());  // a copy: a worker's exception_ptr may be shared between threads
  }
}

}  // namespace lade
