namespace Bitcache.Tests.Bitcoin;

/// <summary>Results as a node (29.4) gave them, shortened.</summary>
internal static class Samples
{
    public const string Listed = """
        {"transactions":[
        {"address":"bcrt1pfe6qgq3ph936u3a3y7rflww3ukdzrgu0dslsje94pymhych9n3jq35rqan","category":"send","amount":-0.50000000,"label":"","vout":1,"fee":-0.00001460,"confirmations":-2,"txid":"0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee","walletconflicts":[],"time":1795248056,"abandoned":false},
        {"address":"bcrt1pfe6qgq3ph936u3a3y7rflww3ukdzrgu0dslsje94pymhych9n3jq35rqan","category":"receive","amount":0.50000000,"label":"","vout":1,"abandoned":false,"confirmations":0,"trusted":true,"txid":"0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee","walletconflicts":[],"time":1795248056},
        {"address":"bcrt1pfe6qgq3ph936u3a3y7rflww3ukdzrgu0dslsje94pymhych9n3jq35rqan","category":"immature","amount":50.00000000,"label":"","vout":0,"abandoned":false,"confirmations":1,"generated":true,"blockhash":"6313d4354315c4fc956cea9f68c012370e4a534c918d348c0e391cdfa52657e7","blockheight":102,"blockindex":0,"blocktime":1795248074,"txid":"0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee","walletconflicts":[],"time":1795248056}
        ],"removed":[],"lastblock":"6313d4354315c4fc956cea9f68c012370e4a534c918d348c0e391cdfa52657e7"}
        """;

    public const string Transaction = """
        {"amount":0.00000000,"fee":-0.00001460,"confirmations":1,"blockhash":"6313d4354315c4fc956cea9f68c012370e4a534c918d348c0e391cdfa52657e7","blockheight":102,"blockindex":1,"blocktime":1795248074,
        "txid":"0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee","walletconflicts":["0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee"],"mempoolconflicts":[],"time":1795248056,"details":[
        {"address":"bcrt1pfe6qgq3ph936u3a3y7rflww3ukdzrgu0dslsje94pymhych9n3jq35rqan","category":"send","amount":-0.50000000,"label":"","vout":1,"fee":-0.00001460,"abandoned":false},
        {"address":"bcrt1pfe6qgq3ph936u3a3y7rflww3ukdzrgu0dslsje94pymhych9n3jq35rqan","category":"receive","amount":0.50000000,"label":"","vout":1,"abandoned":false}],
        "hex":"02000000000101c0c58ba3b93d3cfd4a21890aea70e902"}
        """;

    public const string Psbt = """
        {"tx":{"txid":"1d4f36e569092a6f23dcd74847c682c46e2341d0278d6b58752c6083601c9580","version":2,"size":169,"vsize":169,"weight":676,"locktime":102,
        "vin":[{"txid":"0738cbb1f3e1d72fa82a2f3490ad930cf11d2efc75623781b6edf897753dfd16","vout":0,"scriptSig":{"asm":"","hex":""},"sequence":4294967293},
        {"txid":"0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee","vout":1,"scriptSig":{"asm":"","hex":""},"sequence":4294967293}],
        "vout":[{"value":49.49997970,"n":0,"scriptPubKey":{"hex":"76a914191b8ecaee5ad0e499c03fbba17b33f7601aa0d988ac"}},
        {"value":1.00000000,"n":1,"scriptPubKey":{"hex":"51204e74040221b963ae47b127869fb9d1e59a21a38f6c3f0964b509377262e59c64","type":"witness_v1_taproot"}}]},"psbt_version":0,
        "inputs":[{"witness_utxo":{"amount":50.00000000,"scriptPubKey":{"hex":"51204e74040221b963ae47b127869fb9d1e59a21a38f6c3f0964b509377262e59c64"}}},
        {"non_witness_utxo":{"txid":"0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee","vout":[{"value":49.5,"n":0,"scriptPubKey":{"hex":"00"}},{"value":0.50000000,"n":1,"scriptPubKey":{"hex":"51204e74040221b963ae47b127869fb9d1e59a21a38f6c3f0964b509377262e59c64"}}]}}],
        "outputs":[{},{}],"fee":0.00002030}
        """;

    public const string Coins = """
        [{"txid":"0247634a441a0b2690936a05facf780a6760647287176b50138b2c6bbf3df0ee","vout":0,"address":"bcrt1pfe6qgq3ph936u3a3y7rflww3ukdzrgu0dslsje94pymhych9n3jq35rqan","label":"","scriptPubKey":"51204e74040221b963ae47b127869fb9d1e59a21a38f6c3f0964b509377262e59c64","amount":49.49998540,"confirmations":1,"spendable":true,"solvable":true,"safe":true}]
        """;
}
