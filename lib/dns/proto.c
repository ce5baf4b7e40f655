/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of "resolver/1" as tables of fields. A record that arrives is looked at as if it
 * came from a stranger: what is behind the resolver is one.
 */
#include "dns/proto.h"

#include "base/arena.h"
#include "dns/name.h"
#include "dns/packet.h"

static const struct ipc_field ask_fields[] = {
	IPC_REQUIRED(IPC_VIEW, resolver_ask, name),
	IPC_REQUIRED(IPC_U64, resolver_ask, type),
	IPC_REQUIRED(IPC_U64, resolver_ask, timeout),
	IPC_OPTIONAL(IPC_BOOL, resolver_ask, native),
};
IPC_MESSAGE(resolver_ask_message, "resolver/1.ask", resolver_ask, ask_fields);

static const struct ipc_field answer_fields[] = {
	IPC_REQUIRED(IPC_U64, resolver_answer, result),
	IPC_REQUIRED(IPC_U64, resolver_answer, count),
	IPC_OPTIONAL(IPC_BOOL, resolver_answer, secure),
	IPC_OPTIONAL(IPC_BOOL, resolver_answer, bogus),
	IPC_OPTIONAL(IPC_VIEW, resolver_answer, name),
	IPC_OPTIONAL(IPC_VIEW, resolver_answer, why),
};
IPC_MESSAGE(resolver_answer_message, "resolver/1.answer", resolver_answer, answer_fields);

static const struct ipc_field record_fields[] = {
	IPC_REQUIRED(IPC_U64, resolver_record, type),
	IPC_REQUIRED(IPC_U64, resolver_record, ttl),
	IPC_OPTIONAL(IPC_U64, resolver_record, preference),
	IPC_OPTIONAL(IPC_U64, resolver_record, weight),
	IPC_OPTIONAL(IPC_U64, resolver_record, port),
	IPC_OPTIONAL(IPC_U64, resolver_record, usage),
	IPC_OPTIONAL(IPC_U64, resolver_record, selector),
	IPC_OPTIONAL(IPC_U64, resolver_record, matching),
	IPC_OPTIONAL(IPC_VIEW, resolver_record, name),
	IPC_OPTIONAL(IPC_VIEW, resolver_record, address),
	IPC_OPTIONAL(IPC_VIEW, resolver_record, data),
};
IPC_MESSAGE(resolver_record_message, "resolver/1.record", resolver_record, record_fields);

static size_t
address_size(uint64_t type)
{
	return type == DNS_A ? 4 : type == DNS_AAAA ? 16 : 0;
}

void
resolver_record_encode(const struct dns_record *record, struct resolver_record *out)
{
	*out = (struct resolver_record){
		.type = record->type,
		.ttl = record->ttl,
		.preference = record->preference,
		.weight = record->weight,
		.port = record->port,
		.usage = record->usage,
		.selector = record->selector,
		.matching = record->matching,
		.name = record->name,
		.address = { (const char *)record->address, address_size(record->type) },
		.data = record->data,
	};
}

bool
resolver_record_decode(
    const struct resolver_record *record, struct arena *arena, struct dns_record *out)
{
	if (!dns_type_is_known(record->type) || !dns_name_is_valid(record->name) ||
	    record->address.n != address_size(record->type) || record->ttl > UINT32_MAX ||
	    record->preference > UINT16_MAX || record->weight > UINT16_MAX ||
	    record->port > UINT16_MAX || record->usage > UINT8_MAX ||
	    record->selector > UINT8_MAX || record->matching > UINT8_MAX)
		return false;
	*out = (struct dns_record){
		.type = (enum dns_type)record->type,
		.ttl = (uint32_t)record->ttl,
		.preference = (uint16_t)record->preference,
		.weight = (uint16_t)record->weight,
		.port = (uint16_t)record->port,
		.usage = (uint8_t)record->usage,
		.selector = (uint8_t)record->selector,
		.matching = (uint8_t)record->matching,
		.name = arena_view(arena, record->name),
		.data = arena_view(arena, record->data),
	};
	if (record->address.n > 0)
		memcpy(out->address, record->address.p, record->address.n);
	return true;
}
