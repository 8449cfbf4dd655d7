#include "libimage/transports/docker_known.h"

namespace lade::docker {

std::shared_ptr<KnownBlobs::Known> KnownBlobs::of(const std::string& repository) {
  const std::scoped_lock lock(mutex_);
  std::shared_ptr<Known>& known = repositories_[repository];
  if (!known) known = std::make_shared<Known>();
  return known;
}

void KnownBlobs::has(const std::string& repository, const oci::Descriptor& blob) {
  const std::shared_ptr<Known> known = of(repository);
  const std::scoped_lock lock(known->mutex);
  known->blobs.insert_or_assign(blob.digest, blob.size);
}

bool KnownBlobs::is_there(const std::string& repository, const oci::Descriptor& blob) {
  const std::shared_ptr<Known> known = of(repository);
  const std::scoped_lock lock(known->mutex);
  const auto found = known->blobs.find(blob.digest);
  return found != known->blobs.end() && found->second == blob.size;
}

void KnownBlobs::misses(const std::string& repository, unsigned documents) {
  const std::shared_ptr<Known> known = of(repository);
  const std::scoped_lock lock(known->mutex);
  known->missed += documents;
}

bool KnownBlobs::missed_a_document(const std::string& repository) {
  const std::shared_ptr<Known> known = of(repository);
  const std::scoped_lock lock(known->mutex);
  return known->missed > 0;
}

bool KnownBlobs::was_new(const std::string& repository, const std::function<bool()>& ask) {
  const std::shared_ptr<Known> known = of(repository);
  {
    const std::scoped_lock lock(known->mutex);
    if (known->missed < 2) return false;
  }
  const std::scoped_lock lock(known->asking);
  if (!known->is_new) known->is_new = ask();
  return *known->is_new;
}

}  // namespace lade::docker
