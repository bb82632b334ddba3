namespace Bitcache.Server;
