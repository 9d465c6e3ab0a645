// What may stand in a webhook's clientConfig, in the words of Kubernetes' ValidateWebhookURL and ValidateWebhookService:
// admission webhooks and conversion webhooks of custom kinds say alike where they are found.
#pragma once

#include "control/object/value.h"
#include "control/schema/field_error.h"

namespace minik::control {

void check_webhook_client(const Value& config, const FieldPath& at, FieldErrors& errors);
// That a caBundle is certificates at all. Kubernetes asks this of conversion webhooks only.
void check_ca_bundle(const Value& bundle, const FieldPath& at, FieldErrors& errors);

}  // namespace minik::control
