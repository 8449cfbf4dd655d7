#include "libimage/digest/hasher.h"

// The functions that OpenSSL 3 calls deprecated: those that replace them first load its providers,
// which takes longer than all else that a short command does. The code that hashes is the same.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <variant>

#include <openssl/sha.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

class Sha256 {
 public:
  Sha256() { check(SHA256_Init(&context_)); }
  void update(ByteView data) { check(SHA256_Update(&context_, data.data(), data.size())); }
  /// Ends the computation.
  std::size_t finish(unsigned char* value) {
    check(SHA256_Final(value, &context_));
    return SHA256_DIGEST_LENGTH;
  }
  static void check(int result) {
    if (result != 1) {
      throw Error(Errc::internal, "compute digest: the cryptographic library failed");
    }
  }

 private:
  SHA256_CTX context_ = {};
};

class Sha512 {
 public:
  Sha512() { Sha256::check(SHA512_Init(&context_)); }
  void update(ByteView data) { Sha256::check(SHA512_Update(&context_, data.data(), data.size())); }
  std::size_t finish(unsigned char* value) {
    Sha256::check(SHA512_Final(value, &context_));
    return SHA512_DIGEST_LENGTH;
  }

 private:
  SHA512_CTX context_ = {};
};

using Computation = std::variant<Sha256, Sha512>;

Computation computation_of(std::string_view algorithm) {
  if (algorithm == "sha256") return Sha256();
  if (algorithm == "sha512") return Sha512();
  throw Error(Errc::unsupported, cat("digest algorithm ", quoted(algorithm),
                                     " is not supported (use sha256 or sha512)"));
}

}  // namespace

struct Hasher::State {
  std::string algorithm;
  Computation computation;
};

Hasher::Hasher(std::string_view algorithm)
    : state_(std::make_unique<State>(State{std::string(algorithm), computation_of(algorithm)})) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(ByteView data) {
  std::visit([&](auto& computation) { computation.update(data); }, state_->computation);
}

Digest Hasher::digest() const {
  Computation copy = state_->computation;
  unsigned char value[SHA512_DIGEST_LENGTH];
  const std::size_t size =
      std::visit([&](auto& computation) { return computation.finish(value); }, copy);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = cat(state_->algorithm, ":");
  for (std::size_t i = 0; i < size; ++i) {
    text += kHex[value[i] >> 4U];
    text += kHex[value[i] & 0xFU];
  }
  return Digest::parse(text);
}

Digest sha256_of(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.digest();
}

VerifyingSource::VerifyingSource(std::unique_ptr<Source> source, Digest expected,
                                 std::uint64_t size)
    : source_(std::move(source)),
      expected_(std::move(expected)),
      size_(size),
      hasher_(expected_.algorithm()) {}

std::size_t VerifyingSource::read(std::span<std::byte> out) {
  if (verified_) return 0;
  const std::size_t got = source_->read(out);
  seen_ += got;
  if (seen_ > size_) {
    throw Error(Errc::size_mismatch, cat("content of ", expected_.str(),
                                         " is longer than its descriptor's ", size_, " bytes"));
  }
  hasher_.update(out.first(got));
  if (got != 0) return got;
  if (seen_ != size_) {
    throw Error(Errc::size_mismatch, cat("content of ", expected_.str(), " ends after ", seen_,
                                         " of ", size_, " bytes"));
  }
  if (const Digest actual = hasher_.digest(); actual != expected_) {
    throw Error(Errc::digest_mismatch,
                cat("content of ", expected_.str(), " has digest ", actual.str()));
  }
  verified_ = true;
  return 0;
}

}  // namespace lade
